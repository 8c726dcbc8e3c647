//go:build integration

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// TestOptionsWithKeepalived speaks to keepalived with the options that change
// what is on the wire: director is master, then keepalived follows it and is
// preempted, so that both hear both.
func TestOptionsWithKeepalived(t *testing.T) {
	four, six, two := interopCases()[0], interopCases()[1], interopCases()[2]
	unicast := func(g Group, peer string) Group {
		g.Unicast = &Unicast{Peers: []netip.Addr{netip.MustParseAddr(peer)}}
		return g
	}
	secret := two
	secret.Password = "secret12"
	global := six
	global.Addresses = global.Addresses[1:]
	global = unicast(global, "2001:db8::2")
	global.Unicast.MinTTL = 64 // keepalived leaves the hop limit of IPv6 unicast to the kernel
	tests := []struct {
		name  string
		group Group
		words []string // keepalived's
		setup func(w *wire)
	}{
		{"unicast", unicast(four, "192.0.2.2"),
			[]string{" unicast_src_ip 192.0.2.2", " unicast_peer {", "  192.0.2.1", " }"}, func(*wire) {}},
		{"unicast, IPv6", global,
			[]string{" unicast_src_ip 2001:db8::2", " unicast_peer {", "  2001:db8::1", " }"}, func(w *wire) {
				w.ip("-n", w.a, "addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
				w.ip("-n", w.b, "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
			}},
		{"password", secret, []string{" authentication {", "  auth_type PASS", "  auth_pass secret12", " }"}, func(*wire) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			test.setup(w)
			g := test.group
			mine, theirs := priority(g, 150), priority(g, 100)
			skew, down := times(theirs)
			d := w.director(w.a, orders(mine))
			w.eventually("director is master", starting, func() bool { return w.addressesUp(w.a, g) })
			k := w.keepalived(w.b, theirs, test.words...)
			w.eventually("keepalived is up", starting, k.speaks)
			w.never("keepalived takes over from a live master", down, func() bool { return !w.addressesOff(w.b, g) })
			d.order(Command{Stop: true})
			w.eventually("keepalived follows a director that stops", skew, func() bool { return w.addressesUp(w.b, g) })
			<-d.done
			d = w.director(w.a, orders(mine))
			w.eventually("director preempts", starting, func() bool { return w.addressesUp(w.a, g) })
			w.eventually("keepalived yields", slack, func() bool { return w.addressesOff(w.b, g) })
			w.eventually("director has counted", 3*time.Second, func() bool { return d.status(g.Name).Stats.Received > 0 })
			if s := d.status(g.Name); len(s.Stats.Dropped) != 0 || s.Stats.SendErrors != 0 {
				t.Errorf("%+v", s.Stats)
			}
		})
	}
}
