package vrrp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// stage is a machine on which nothing happens. It counts what it was asked for.
type stage struct {
	sent, held, announced int
}

func (s *stage) send([]byte, envelope) error                    { s.sent++; return nil }
func (s *stage) receive(*frame) (bool, error)                   { return false, nil }
func (s *stage) close() error                                   { return nil }
func (s *stage) sit() (desk, error)                             { return stageDesk{s}, nil }
func (s *stage) ask(link, netip.Addr, netip.Addr) error         { return nil }
func (s *stage) hold(holding) error                             { s.held++; return nil }
func (s *stage) renew([]holding) error                          { return nil }
func (s *stage) release(link, netip.Prefix) error               { return nil }
func (s *stage) announce(link, netip.Addr) error                { s.announced++; return nil }
func (s *stage) prepare(link, netip.Addr) error                 { return nil }
func (s *stage) forget(link) error                              { return nil }
func (s *stage) overhear(link, bool, []netip.Addr) (ear, error) { return nil, errors.ErrUnsupported }

// stageDesk is a desk on it, at which nobody waits.
type stageDesk struct{ stage *stage }

func (d stageDesk) open(link, bool) (port, error) { return d.stage, nil }
func (stageDesk) wait(time.Time, bool)            {}
func (stageDesk) nudge()                          {}
func (stageDesk) close()                          {}

// rehearse takes over on a stage, in both families, and speaks as master once
// more. Code that has never run is not in memory, which is locked only as it is
// touched: a takeover is no time to read the program from its disk.
func rehearse() *stage {
	s := &stage{}
	l := newLoop(newLocal(zap.NewNop(), host{network: s, kernel: s}), stageDesk{s}, nil, context.Background())
	l.links = links{"stage": {index: 1, name: "stage", up: true, mac: net.HardwareAddr{2, 0, 0, 0, 0, 1}, addresses: []linkAddress{
		{prefix: netip.MustParsePrefix("192.0.2.1/24"), permanent: true},
		{prefix: netip.MustParsePrefix("fe80::1/64"), permanent: true},
	}}}
	for id, addresses := range [][]netip.Prefix{
		{netip.MustParsePrefix("192.0.2.100/24")},
		{netip.MustParsePrefix("fe80::100/64"), netip.MustParsePrefix("2001:db8::100/64")},
	} {
		g := Group{Name: addresses[0].String(), Interface: "stage", RouterID: uint8(id + 1), Version: 3, Priority: 100, Interval: time.Second, Addresses: addresses}
		key := tapKey{1, g.v6()}
		l.taps[key] = &tap{port: s, key: key} // open: there is nobody to be heard
		l.orders.Config.Groups = append(l.orders.Config.Groups, g)
	}
	now := time.Now()
	l.ordered, l.lastState = now, now
	l.apply(now)
	l.carryOut(now)
	for range 2 * len(l.core.members) {
		at := l.core.next()
		l.core.fire(at)
		l.carryOut(at)
	}
	k := l.keeper
	k.adopt(<-k.wishes, now)
	due, next := k.agenda(time.Now())
	k.batch(due)
	k.forget()
	k.report(now, next)
	l.settled(now, <-k.reports)
	return s
}
