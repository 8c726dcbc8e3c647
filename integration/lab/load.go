package lab

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Load is clients that ask a web server without a pause, each over new connections.
type Load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []error
}

// Load starts a number of clients in the box.
func (n *Namespace) Load(ctx context.Context, server netip.AddrPort, clients int) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel}
	for range clients {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				_, err := n.Get(ctx, server, 5*time.Second)
				if ctx.Err() != nil {
					return // cut short by Stop
				}
				l.mu.Lock()
				l.requests++
				if err != nil {
					l.failures = append(l.failures, err)
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// Requests returns how many requests have been answered or failed.
func (l *Load) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// Stop ends the clients and returns what they did.
func (l *Load) Stop() (requests int, failures []error) {
	l.cancel()
	l.wg.Wait()
	return l.requests, l.failures
}
