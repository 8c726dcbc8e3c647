package vrrp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestFailoverOrder(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Failover: []string{"front", "back"}})
		time.Sleep(200 * time.Millisecond)
		want(t, a, "front MASTER>BACKUP: handed over by an operator")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		if got := a.problems(); got != "failover of group back: no such group" {
			t.Errorf("problems %q", got)
		}
		time.Sleep(orderedStay + time.Second)
		a.told()
		b.Order(Command{Failover: []string{"front"}})
		synctest.Wait()
		b.Order(Command{Failover: []string{}}) // all that it is master of: none
		time.Sleep(time.Second)
		synctest.Wait()
		if got := b.problems(); got != "failover of group front: it is not MASTER" {
			t.Errorf("problems %q", got)
		}
		b.cancel()
		synctest.Wait()
		a.Order(Command{Failover: []string{}})
		time.Sleep(time.Second)
		want(t, a, "")
		if got := a.problems(); got != "group front: no other router took over: remains master" {
			t.Errorf("problems %q", got)
		}
	})
}

// TestSyncGroupFailover hands a sync group over by a word for all, for one and for each.
func TestSyncGroupFailover(t *testing.T) {
	back := func(p uint8) Group {
		g := front(p)
		g.Name, g.RouterID = "back", 52
		g.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.200/24")}
		return g
	}
	both := func(p uint8) Orders {
		o := orders(front(p), back(p))
		o.Config.SyncGroups = []SyncGroup{{Name: "gateway", Groups: []string{"front", "back"}}}
		return o
	}
	for _, names := range [][]string{{}, {"back"}, {"front", "back"}} {
		synctest.Test(t, func(t *testing.T) {
			n := newLAN()
			a, b := n.add().boot(t, both(150)), n.add().boot(t, both(100))
			time.Sleep(time.Second)
			a.told()
			a.Order(Command{Failover: names})
			time.Sleep(200 * time.Millisecond)
			want(t, a, "front MASTER>BACKUP: handed over by an operator\nback MASTER>BACKUP: handed over by an operator")
			if got := a.problems(); got != "" {
				t.Errorf("problems %q", got)
			}
			if !b.host.holds(vip) || !b.host.holds("10.0.0.200/24") {
				t.Error("the addresses did not move")
			}
			a.end()
			b.end()
		})
	}
}

// TestStopLingers: who has heard his successor answers for 50 ms more, also when it
// stops, or is no longer configured.
func TestStopLingers(t *testing.T) {
	for name, leave := range map[string]func(*router){
		"stop":    func(r *router) { r.Order(Command{Stop: true}) },
		"removal": func(r *router) { r.Order(Command{Orders: &Orders{}}) },
	} {
		t.Run(name, func(t *testing.T) {
			duo(t, func(t *testing.T, a, b *router) {
				leave(a)
				for !b.host.holds(vip) { // after the skew
					time.Sleep(time.Millisecond)
					synctest.Wait()
				}
				time.Sleep(linger - 5*time.Millisecond)
				synctest.Wait()
				if !a.host.holds(vip) {
					t.Error("the address is gone at once")
				}
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				if a.host.holds(vip) {
					t.Error("the address is still there")
				}
			})
		})
	}
}

// TestTwoOwners: of two routers with priority 255 the one with the higher address
// serves, and no flood of assertions goes on.
func TestTwoOwners(t *testing.T) {
	own := func(g *Group) { g.Priority = owner }
	two(t, own, own, 10*time.Second, func(a, b *router) {
		if s, o := a.status("front"), b.status("front"); s.State != Backup || o.State != Master {
			t.Errorf("%s and %s, want BACKUP and MASTER", s.State, o.State)
		}
		n := a.host.lan.count()
		time.Sleep(10 * time.Second)
		if got := a.host.lan.count() - n; got > 101 {
			t.Errorf("%d packets in 10 s, want one each 100 ms", got)
		}
		b.end()
		time.Sleep(time.Second)
		if s := a.status("front"); s.State != Master {
			t.Errorf("%s when the other has gone, want MASTER", s.State)
		}
	})
}

// TestSlowStopEndsInTime: no ordered stop takes longer than those are told who wait for it.
func TestSlowStopEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := front(100)
		g.Interval = maxInterval3 / (10 * time.Millisecond) * (10 * time.Millisecond)
		r := newLAN().add().boot(t, orders(g))
		time.Sleep(5 * g.Interval)
		if s := r.status("front"); s.State != Master {
			t.Fatalf("%s: %s", s.State, s.Reason)
		}
		began := time.Now()
		r.Order(Command{Stop: true})
		r.wait()
		if took := time.Since(began); took < handoverMax || took > StopTimeout {
			t.Errorf("the stop took %s, want %s to %s", took, handoverMax, StopTimeout)
		}
	})
}
