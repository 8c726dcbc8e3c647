package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestToClose(t *testing.T) {
	now := time.Now()
	front := []closed{{addr: ip("10.0.0.100")}, {addr: ip("10.0.0.99")}}
	six := []closed{{addr: ip("fe80::1"), device: "eth1"}, {addr: ip("fe80::1"), device: "eth0"}}
	tests := []struct {
		name  string
		list  []fitting
		shown []closed
		want  string
	}{
		{"nothing", nil, front[:1], "[]"},
		{"before the addresses are there, in order, once", []fitting{{closed: front, intent: keep}, {closed: front, intent: keep}, {closed: six, intent: keep}}, nil,
			"[10.0.0.99 10.0.0.100 fe80::1%eth0 fe80::1%eth1]"},
		{"while the addresses linger", []fitting{{closed: front, intent: letGo, dropAt: now.Add(1)}}, nil, "[10.0.0.99 10.0.0.100]"},
		{"and no longer", []fitting{{closed: front, intent: letGo, dropAt: now}}, front[:1], "[]"},
		{"what a former run has left", []fitting{{closed: front}}, front[:1], "[10.0.0.100]"},
	}
	for _, test := range tests {
		if got := fmt.Sprint(toClose(test.list, test.shown, now)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestClosedOf(t *testing.T) {
	g := front(100)
	g.Closed = true
	g.Excluded = []netip.Prefix{prefix("fe80::100/64"), prefix("2001:db8::1/64")}
	m := newMember(g)
	m.link = link{index: 36, name: "eth0"}
	if got := fmt.Sprint(m.closed()); got != "[10.0.0.100 fe80::100%eth0 2001:db8::1]" {
		t.Error(got)
	}
	m.link.vmac = virtualMAC(51, true)
	if got := fmt.Sprint(m.closed()); got != "[10.0.0.100 fe80::100%vrrp6-51.10 2001:db8::1]" {
		t.Error(got)
	}
	m.group.Priority = owner
	if got := m.closed(); got != nil {
		t.Errorf("the owner closes %v", got)
	}
	m.group.Priority, m.group.Closed = 100, false
	if got := m.closed(); got != nil {
		t.Errorf("a group that accepts closes %v", got)
	}
}

// TestClosedGroup closes the addresses of the master, and of nobody else.
func TestClosedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		h, other := n.add(), n.add()
		g := front(150)
		g.Closed = true
		r := h.boot(t, orders(g))
		g.Priority = 100
		ro := other.boot(t, orders(g))
		shut := func(h *lanHost) (s string) {
			h.set(func(h *lanHost) { s = fmt.Sprint(h.tables.closed) })
			return s
		}
		time.Sleep(3 * time.Second)
		if shut(h) != "[10.0.0.100]" || shut(other) != "[]" || r.status("front").Closed != 1 {
			t.Errorf("closed: %s %s, status %d", shut(h), shut(other), r.status("front").Closed)
		}
		h.set(func(h *lanHost) { h.tables.closed = []closed{{}} }) // by somebody else
		time.Sleep(auditEvery + time.Second)
		if shut(h) != "[10.0.0.100]" {
			t.Errorf("not closed again: %s", shut(h))
		}
		r.Order(Command{Stop: true})
		r.wait()
		time.Sleep(time.Second)
		if shut(h) != "[]" || shut(other) != "[10.0.0.100]" {
			t.Errorf("after the stop: %s %s", shut(h), shut(other))
		}
		ro.end()
	})
}

// TestClosedThoughTheKernelIsSlow closes the addresses of a master that still waits
// for the kernel to put them up.
func TestClosedThoughTheKernelIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.stuck = 3 * time.Second
		g := front(150)
		g.Closed = true
		r := h.boot(t, orders(g))
		time.Sleep(341*time.Millisecond + headway/2) // it is master after 340.6 ms
		synctest.Wait()
		h.set(func(h *lanHost) {
			if got := fmt.Sprint(h.tables.closed); got != "[10.0.0.100]" || len(h.history) > 0 {
				t.Errorf("closed %s, addresses %v, want the address closed and not up yet", got, h.history)
			}
		})
		r.end()
	})
}
