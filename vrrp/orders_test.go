package vrrp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReorder changes orders in place: mastership is never lost.
func TestReorder(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		for range 10 {
			o := orders(front(150))
			a.Order(Command{Orders: &o})
		}
		time.Sleep(time.Second)
		want(t, a, "")

		g := front(160)
		g.Interval = 50 * time.Millisecond
		g.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.101/24"), netip.MustParsePrefix(vip)}
		o := orders(g)
		a.Order(Command{Orders: &o})
		time.Sleep(time.Second)
		want(t, a, "")
		want(t, b, "")
		if diff := cmp.Diff([]string{"+" + vip, "+10.0.0.101/24"}, a.host.history); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		if s := b.status("front"); s.MasterPrio != 160 || s.Stats.Mismatched == 0 {
			t.Errorf("the other sees priority %d, %d mismatches", s.MasterPrio, s.Stats.Mismatched)
		}

		a.Order(Command{Orders: new(orders(front(150)))})
		time.Sleep(time.Second)
		want(t, a, "")
		if diff := cmp.Diff([]string{"+" + vip, "+10.0.0.101/24", "-10.0.0.101/24"}, a.host.history); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}

		a.Order(Command{Orders: new(orders())})
		time.Sleep(time.Second)
		want(t, a, "front MASTER>INIT: no longer configured")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		if a.host.holds(vip) {
			t.Error("the address of the removed group is still there")
		}
	})
}

// TestRemoveAndReturn puts a group back while it is still leaving.
func TestRemoveAndReturn(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		none, again := orders(), orders(front(150))
		a.Order(Command{Orders: &none})
		synctest.Wait()
		a.Order(Command{Orders: &again})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := a.status("front"); s.State != Master || !a.host.holds(vip) || b.host.holds(vip) {
			t.Errorf("state %s, address on a: %t, on b: %t", s.State, a.host.holds(vip), b.host.holds(vip))
		}
	})
}

// TestEngineGrace leaves mastership when nobody has spoken for too long.
func TestEngineGrace(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		o := orders(front(150))
		o.Config.EngineGrace = 3 * time.Second
		a.Order(Command{Orders: &o})
		time.Sleep(2900 * time.Millisecond)
		want(t, a, "")
		a.Order(Command{Orders: &o})
		time.Sleep(2900 * time.Millisecond)
		want(t, a, "")
		time.Sleep(300 * time.Millisecond)
		want(t, a, "front MASTER>FAULT: no engine for 3s")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		a.Order(Command{Orders: &o})
		time.Sleep(time.Second)
		want(t, a, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: preempts 10.0.0.2 (priority 150 > 100)")
	})
}
