package checks

import (
	"context"
	"net/netip"
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
func (p TCP) Run(ctx context.Context) Observation { return p.dialog().run(ctx) }

func (p TCP) dialog() *dialog {
	return newDialog(p.Target, p.Route, func() exchange { return connectOnly{} })
}

// connectOnly is the exchange that has nothing to say.
type connectOnly struct{}

func (connectOnly) next(int, []byte) *verdict { return &verdict{seen: Observation{OK: true}} }
func (connectOnly) verb() string              { return "connect" }
