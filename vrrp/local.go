package vrrp

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// reportQueue is how many reports may wait for a reader that is busy. More are
// put together into one.
const reportQueue = 64

// Local is a Router in this process.
type Local struct {
	log     *zap.Logger
	host    host
	reports chan Report

	mu      sync.Mutex // guards pending, the letter box between Order and the loop
	pending pending
	desk    desk // of the loop; nil unless it runs
}

// pending are the commands that the loop has not taken yet.
type pending struct {
	orders   *Orders
	failover []string
	all      bool // hand everything over
	stop     bool
}

var _ Router = (*Local)(nil)

// NewRouter makes a Router of this machine's interfaces. It needs CAP_NET_RAW
// for its sockets and CAP_NET_ADMIN for addresses; without them its groups are
// in FAULT and say so.
func NewRouter(log *zap.Logger) *Local {
	return newLocal(log, newHost(log))
}

func newLocal(log *zap.Logger, h host) *Local {
	return &Local{
		log: log, host: h,
		reports: make(chan Report, reportQueue),
	}
}

// Order replaces the orders, or asks for a handover or the end. It never blocks.
func (r *Local) Order(c Command) {
	r.mu.Lock()
	if c.Orders != nil {
		r.pending.orders = c.Orders
	}
	r.pending.failover = append(r.pending.failover, c.Failover...)
	r.pending.all = r.pending.all || c.Failover != nil && len(c.Failover) == 0
	r.pending.stop = r.pending.stop || c.Stop
	if r.desk != nil {
		r.desk.nudge()
	}
	r.mu.Unlock()
}

// sit tells where to find the loop.
func (r *Local) sit(d desk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.desk = d
}

// commands takes what was ordered since the last time.
func (r *Local) commands() pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pending
	r.pending = pending{}
	return p
}

// Reports is where the router tells what happened. It is never closed.
func (r *Local) Reports() <-chan Report { return r.reports }

// Run works until ctx is done or, after Stop was ordered, until mastership is
// handed over and the addresses are off. Without that order the addresses stay
// when it ends, until their leases do: a restarted router finds them.
func (r *Local) Run(ctx context.Context) error {
	rehearse()
	d, err := r.host.network.sit()
	if err != nil {
		return fmt.Errorf("run VRRP: %w", err)
	}
	defer d.close()
	r.sit(d)
	defer r.sit(nil)
	// Helpers end when the loop does, not before: it needs them to leave.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	group, inner := errgroup.WithContext(inner)
	l := newLoop(r, d, group, inner)
	group.Go(func() error { return l.keeper.run(inner) })
	group.Go(func() error { return l.fitter.run(inner) })
	group.Go(func() error { return r.host.watch.watch(inner, l.watched) })
	group.Go(func() error {
		select {
		case <-ctx.Done():
			d.nudge()
		case <-inner.Done():
		}
		return nil
	})
	group.Go(func() error {
		defer cancel()
		defer l.close()
		return l.run(ctx)
	})
	return group.Wait()
}
