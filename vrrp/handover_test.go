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
