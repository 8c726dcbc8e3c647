package checks

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lab is what scripted probes do and when they were run.
type lab struct {
	mu     sync.Mutex
	start  time.Time
	script map[string]func(nth int) Observation
	took   map[string]time.Duration
	starts map[string][]time.Duration
}

func newLab() *lab {
	return &lab{start: time.Now(), script: map[string]func(int) Observation{}, took: map[string]time.Duration{}, starts: map[string][]time.Duration{}}
}

// scripted is a probe that a lab answers.
type scripted struct {
	name string
	lab  *lab
}

func (p scripted) Kind() string { return "scripted" }
func (p scripted) Key() string  { return p.name }
func (p scripted) Run(ctx context.Context) Observation {
	l := p.lab
	l.mu.Lock()
	l.starts[p.name] = append(l.starts[p.name], time.Since(l.start))
	f, took, nth := l.script[p.name], l.took[p.name], len(l.starts[p.name])
	l.mu.Unlock()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return Observation{Reason: "no answer"}
		}
	}
	if f == nil {
		return Observation{OK: true}
	}
	return f(nth)
}

func (l *lab) set(name string, f func(nth int) Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.script[name] = f
}

func (l *lab) times(name string) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration(nil), l.starts[name]...)
}

func good(int) Observation { return Observation{OK: true} }
func bad(int) Observation  { return Observation{Reason: "bad"} }

// inPool runs f in a bubble with a running pool, and ends the pool after it.
func inPool(t *testing.T, f func(p *Pool, l *lab), options ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, l := NewPool(options...), newLab()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		f(p, l)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func (l *lab) monitor(name string) Monitor {
	return Monitor{Probe: scripted{name, l}, Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 2, Fall: 3}
}

// key of a scripted probe: its lab is not part of it.
func (m Monitor) scriptedKey() Key {
	return Key(fmt.Sprint(m.Probe.Key(), m.Interval, m.FastInterval, m.DownInterval, m.Timeout, m.Rise, m.Fall))
}

func set(p *Pool, monitors ...Monitor) {
	all := make(map[Key]Monitor)
	for _, m := range monitors {
		all[m.scriptedKey()] = m
	}
	p.Set(all)
}

func wantResult(t *testing.T, p *Pool, key Key, from, to State) Result {
	t.Helper()
	select {
	case r := <-p.Results():
		if r.Key != key || r.From != from || r.To != to {
			t.Errorf("result %s %v to %v, want %s %v to %v", r.Key, r.From, r.To, key, from, to)
		}
		return r
	case <-time.After(time.Minute):
		t.Fatalf("no result in a minute, want %s %v to %v", key, from, to)
		return Result{}
	}
}

func wantNoResult(t *testing.T, p *Pool, d time.Duration) {
	t.Helper()
	select {
	case r := <-p.Results():
		t.Errorf("unexpected result %+v", r)
	case <-time.After(d):
	}
}
