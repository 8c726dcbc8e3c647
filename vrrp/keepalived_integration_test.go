//go:build integration

package vrrp

import (
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// interopCases are the kinds of groups that both programs speak.
func interopCases() []Group {
	four := Group{
		Name: "four", Interface: "eth0", RouterID: 51, Version: 3, Interval: 100 * time.Millisecond, Preempt: true,
		Lease: 3 * time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24"), netip.MustParsePrefix("198.51.100.1/32")},
	}
	six := four
	six.Name = "six"
	six.Addresses = []netip.Prefix{netip.MustParsePrefix("fe80::100/64"), netip.MustParsePrefix("2001:db8::100/64")}
	two := four
	two.Name, two.Version, two.Interval = "two", 2, time.Second
	return []Group{four, six, two}
}

func priority(g Group, p uint8) Group {
	g.Priority = p
	return g
}

const (
	// slack is what a busy emulated machine may add to the protocol's times.
	slack = 2 * time.Second
	// starting is how long a program may take to start there.
	starting = 20 * time.Second
)

// times are the protocol's for a group.
func times(g Group) (skew, down time.Duration) {
	p := params{version: uint8(g.Version), priority: g.Priority, interval: g.Interval}
	return p.skew(g.Interval) + slack, p.masterDown(g.Interval) + slack
}

// TestDirectorBeforeKeepalived has director as master and keepalived as backup:
// stop and return, kill and return, failover.
func TestDirectorBeforeKeepalived(t *testing.T) {
	for _, g := range interopCases() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			mine, theirs := priority(g, 150), priority(g, 100)
			skew, down := times(theirs)
			d := w.director(w.a, orders(mine))
			w.eventually("director is master", starting, func() bool { return w.addressesUp(w.a, g) })
			k := w.keepalived(w.b, theirs)
			w.eventually("keepalived is up", starting, k.speaks)
			w.never("keepalived takes over from a live master", down, func() bool { return !w.addressesOff(w.b, g) })

			d.order(Command{Stop: true})
			took := w.eventually("keepalived follows a director that stops", skew, func() bool { return w.addressesUp(w.b, g) })
			t.Logf("keepalived took over %s after the stop", took)
			w.eventually("director's addresses are off", skew, func() bool { return w.addressesOff(w.a, g) })
			<-d.done

			d = w.director(w.a, orders(mine))
			w.eventually("director preempts", starting, func() bool { return w.addressesUp(w.a, g) })
			w.eventually("keepalived yields", slack, func() bool { return w.addressesOff(w.b, g) })

			d.signal(syscall.SIGKILL)
			w.eventually("keepalived follows a director that died", down, func() bool { return w.addressesUp(w.b, g) })
			w.eventually("the lease of the dead one ends", g.Lease+2*time.Second, func() bool { return w.addressesOff(w.a, g) })

			d = w.director(w.a, orders(mine))
			w.eventually("director preempts again", starting, func() bool { return w.addressesUp(w.a, g) })
			d.order(Command{Failover: []string{g.Name}})
			// The owner comes back at once, too soon to look at addresses.
			w.eventually("keepalived follows a failover", skew, func() bool { return d.status(g.Name).Stats.ReleasedMaster > 0 })
			if s := d.status(g.Name); s.Stats.Mismatched != 0 || len(s.Stats.Dropped) != 0 {
				t.Errorf("keepalived's packets: %+v", s.Stats)
			}
		})
	}
}

// TestKeepalivedBeforeDirector is the reverse.
func TestKeepalivedBeforeDirector(t *testing.T) {
	for _, g := range interopCases() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			mine, theirs := priority(g, 100), priority(g, 150)
			skew, down := times(mine)
			k := w.keepalived(w.b, theirs)
			w.eventually("keepalived is master", starting, func() bool { return w.addressesUp(w.b, g) })
			d := w.director(w.a, orders(mine))
			w.eventually("director is up", starting, func() bool { return d.status(g.Name).State == Backup })
			w.never("director takes over from a live master", down, func() bool { return !w.addressesOff(w.a, g) })

			k.signal(syscall.SIGTERM)
			took := w.eventually("director follows a keepalived that stops", skew, func() bool { return w.addressesUp(w.a, g) })
			t.Logf("director took over %s after the stop", took)
			<-k.done

			k = w.keepalived(w.b, theirs)
			w.eventually("keepalived preempts", starting, func() bool { return w.addressesUp(w.b, g) })
			w.eventually("director yields", slack, func() bool { return w.addressesOff(w.a, g) })
			if s := d.status(g.Name); s.Stats.ZeroReceived == 0 {
				t.Error("keepalived's goodbye was not heard")
			}

			k.signal(syscall.SIGKILL)
			w.eventually("director follows a keepalived that died", down, func() bool { return w.addressesUp(w.a, g) })
			if s := d.status(g.Name); s.Stats.Mismatched != 0 || len(s.Stats.Dropped) != 0 {
				t.Errorf("keepalived's packets: %+v", s.Stats)
			}
		})
	}
}

// TestEqualPriorities ends with one master, by the addresses, whoever was first.
func TestEqualPriorities(t *testing.T) {
	for _, g := range interopCases()[:2] {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			g := priority(g, 100)
			_, down := times(g)
			w.director(w.a, orders(g))
			w.keepalived(w.b, g)
			one := func() bool {
				return w.addressesUp(w.a, g) && w.addressesOff(w.b, g) || w.addressesUp(w.b, g) && w.addressesOff(w.a, g)
			}
			w.eventually("one master", starting, one)
			time.Sleep(down)
			w.eventually("one master", down, one)
			w.never("more or less than one master", down, func() bool { return !one() })
		})
	}
}

// TestOwner is priority 255: master at once, and its own address stays when it
// goes. It advertises from another one: Linux drops what comes from an address
// that the receiver holds itself, which a backup in charge does.
func TestOwner(t *testing.T) {
	w := newWire(t)
	g := interopCases()[0]
	g.Priority, g.Addresses = owner, []netip.Prefix{netip.MustParsePrefix("192.0.2.50/24")}
	w.ip("-n", w.a, "addr", "add", "192.0.2.50/24", "dev", "eth0")
	k := g
	k.Priority = 100
	w.keepalived(w.b, k)
	w.eventually("keepalived is master", starting, func() bool { return w.addressesUp(w.b, k) })
	d := w.director(w.a, orders(g))
	w.eventually("keepalived yields to the owner", starting, func() bool { return w.addressesOff(w.b, k) })
	d.order(Command{Stop: true})
	<-d.done
	if !w.addressesUp(w.a, g) {
		t.Error("the owner has lost its own address")
	}
}
