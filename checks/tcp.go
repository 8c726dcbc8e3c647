package checks

import (
	"context"
	"net/netip"
	"time"
)

// TCP is up when the target accepts a connection.
type TCP struct {
	Target netip.AddrPort
	Route  Route
}

// Kind returns "tcp".
func (TCP) Kind() string { return "tcp" }

// Key implements Probe.
func (p TCP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p TCP) Run(ctx context.Context) Observation {
	begin := time.Now()
	c, err := dial(ctx, p.Target, p.Route)
	if err != nil {
		return failed(ctx, begin, "connect", err)
	}
	seen := Observation{OK: true, Latency: time.Since(begin)}
	c.Close()
	return seen
}
