package checks

import (
	"context"
	"net/netip"
	"time"
)

// BFD is up while a BFD session is. Nobody asks: the neighbour's packets come by
// themselves, and whoever receives them tells the Pool (Pool.Tell).
type BFD struct {
	Session  string     // its name, or
	Neighbor netip.Addr // the address that it leads to
}

// Kind returns "bfd".
func (BFD) Kind() string { return "bfd" }

// Key implements Probe.
func (p BFD) Key() string { return digest(p.Kind(), p) }

// Run implements Probe. There is nothing to run.
func (BFD) Run(context.Context) Observation {
	return Observation{Reason: "a BFD session is not asked, it tells by itself: see director status", Ours: true}
}

func (BFD) told() {}

// told is a Probe that the Pool does not run, but is told of.
type told interface{ told() }

// isTold reports whether the Pool is told what a probe sees.
func isTold(p Probe) bool {
	_, ok := p.(told)
	return ok
}

// Tell takes what was seen by other means than a run of the monitor's probe,
// which must be one that nobody runs. It does nothing if there is no such monitor.
func (p *Pool) Tell(key Key, seen Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[key]
	if e == nil || !isTold(e.monitor.Probe) {
		return
	}
	p.note(e, seen, time.Now())
	if len(p.pending) > 0 {
		signal(p.news)
	}
}
