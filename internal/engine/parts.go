package engine

import (
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// endTime is how long the end waits for what still runs. A successor waits for it,
// and VRRP for the successor: see engine_grace.
const endTime = 5 * time.Second

// parts are what runs beside the engine's goroutine, by name.
type parts struct {
	group   sync.WaitGroup
	mu      sync.Mutex
	running map[string]int
}

// start runs f in the background.
func (p *parts) start(name string, f func()) {
	p.count(name, 1)
	p.group.Go(func() {
		defer p.count(name, -1)
		f()
	})
}

func (p *parts) count(name string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		p.running = make(map[string]int)
	}
	if p.running[name] += n; p.running[name] == 0 {
		delete(p.running, name)
	}
}

// names returns what still runs.
func (p *parts) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.running))
}

// drainResults lets the parts end: they must not block on a reader that is gone.
// One that hangs, as a check that asks a file server that is dead, is left to the
// end of the process.
func (e *Engine) drainResults(running *parts) {
	ended := make(chan struct{})
	go func() { running.group.Wait(); close(ended) }()
	limit := time.NewTimer(endTime)
	defer limit.Stop()
	for {
		select {
		case <-ended:
			return
		case <-limit.C:
			e.log.Warn("some of the daemon's work does not end; the daemon ends without it",
				zap.Strings("running", running.names()), zap.Duration("waited", endTime))
			return
		case <-e.opts.Pool.Results():
		case <-e.hooks.done:
		case <-e.loaded:
		case <-e.listed:
		}
	}
}
