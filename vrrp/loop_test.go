package vrrp

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const vip = "10.0.0.100/24"

// duo runs a test with two routers on a LAN, the first of higher priority and master.
func duo(t *testing.T, f func(t *testing.T, a, b *router)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		a := n.add().boot(t, orders(front(150)))
		b := n.add().boot(t, orders(front(100)))
		time.Sleep(time.Second)
		synctest.Wait()
		if !a.host.holds(vip) || b.host.holds(vip) {
			t.Fatalf("the first router does not serve: %s / %s", a.told(), b.told())
		}
		a.told()
		b.told()
		f(t, a, b)
		a.end()
		b.end()
	})
}

func want(t *testing.T, r *router, story string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(story, r.told()); diff != "" {
		t.Errorf("router %d (-want +got):\n%s", r.host.id, diff)
	}
}

func TestTakeover(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.end()
		if !a.host.holds(vip) {
			t.Error("the end without Stop took the address off")
		}
		time.Sleep(400 * time.Millisecond)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 silent for 361ms")
		if !b.host.holds(vip) || a.host.lan.at("10.0.0.100") != 1 {
			t.Error("the second router does not serve")
		}
		a = a.host.boot(t, orders(front(150)))
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if a.host.holds(vip) {
			t.Error("what the former run left is still there though another is master")
		}
		time.Sleep(time.Second)
		want(t, a, "front INIT>BACKUP: started\nfront BACKUP>MASTER: preempts 10.0.0.2 (priority 150 > 100)")
		want(t, b, "front MASTER>BACKUP: peer 10.0.0.1 priority higher (150 > 100)")
		a.end()
	})
}

// TestLeftover keeps the address of a former run on the interface while no
// other master is heard: its lease runs, and it is renewed in time.
func TestLeftover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		r.end()
		r = h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		r.end()
		if diff := cmp.Diff([]string{"+" + vip}, h.history); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

func TestStop(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Stop: true})
		a.wait()
		want(t, a, "front MASTER>INIT: stopped")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		if a.host.holds(vip) || !b.host.holds(vip) {
			t.Error("the address did not move")
		}
	})
}

// TestStopWithEnd cancels at the moment of the order, as an engine in a hurry would.
func TestStopWithEnd(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Stop: true})
		a.cancel()
		a.wait()
		if a.host.holds(vip) {
			t.Error("the address is still there")
		}
		time.Sleep(time.Millisecond)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
	})
}

func TestFailoverOrder(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Failover: []string{"front", "back"}})
		time.Sleep(200 * time.Millisecond)
		want(t, a, "front MASTER>BACKUP: handed over by an operator")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		if got := a.problems(); got != "failover of group back: no such group" {
			t.Errorf("problems %q", got)
		}
		time.Sleep(time.Second)
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
		time.Sleep(200 * time.Millisecond)
		want(t, a, "front MASTER>FAULT: no engine for 3s")
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
		a.Order(Command{Orders: &o})
		time.Sleep(time.Second)
		want(t, a, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: preempts 10.0.0.2 (priority 150 > 100)")
	})
}

// TestInterface follows the interface: missing, there, down, up, replaced.
func TestInterface(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		good := a.host.links["eth0"]
		good.addresses = good.addresses[:2]
		a.host.change(func(ls links) {
			l := good
			l.up = false
			ls["eth0"] = l
		})
		want(t, a, "front MASTER>FAULT: interface eth0 is down")
		time.Sleep(time.Second)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 silent for 361ms")

		a.host.change(func(ls links) { delete(ls, "eth0") })
		time.Sleep(time.Second)
		synctest.Wait()
		if s := a.status("front"); s.Reason != "interface eth0 is missing" {
			t.Errorf("reason %q", s.Reason)
		}

		a.host.change(func(ls links) {
			l := good
			l.index, l.addresses = 7, nil
			ls["eth0"] = l
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if s := a.status("front"); s.Reason != "interface eth0 has no IPv4 address to send from" {
			t.Errorf("reason %q", s.Reason)
		}

		a.host.change(func(ls links) {
			l := good
			l.index = 7
			ls["eth0"] = l
		})
		time.Sleep(time.Second)
		want(t, a, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: preempts 10.0.0.2 (priority 150 > 100)")
	})
}

// TestCableBack plugs the master's cable back into a switch that takes a moment
// to forward: both are master until it does, and then the neighbours must learn
// at once that the better one is, not at the end of their ARP timeout.
func TestCableBack(t *testing.T) {
	for _, deaf := range []time.Duration{0, 350 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
		t.Run(deaf.String(), func(t *testing.T) {
			duo(t, func(t *testing.T, a, b *router) {
				a.host.change(func(ls links) { l := ls["eth0"]; l.up = false; ls["eth0"] = l })
				time.Sleep(time.Second)
				a.host.set(func(h *lanHost) { h.cut = true })
				a.host.change(func(ls links) { l := ls["eth0"]; l.up = true; ls["eth0"] = l })
				time.Sleep(deaf)
				a.host.set(func(h *lanHost) { h.cut = false })
				for range 2000 {
					synctest.Wait()
					holder := a.host.lan.at("10.0.0.100")
					if !a.host.lan.hosts[holder].holds(vip) {
						// The burst in progress may have to end first.
						time.Sleep(burstGap - 50*time.Millisecond)
						synctest.Wait()
						holder = a.host.lan.at("10.0.0.100")
						if !a.host.lan.hosts[holder].holds(vip) {
							t.Fatalf("the neighbours ask %d, which has nothing", holder)
						}
					}
					time.Sleep(time.Millisecond)
				}
				if at := a.host.lan.at("10.0.0.100"); at != 0 || a.status("front").State != Master {
					t.Errorf("the neighbours ask %d", at)
				}
			})
		})
	}
}

// TestAddressStolen puts an address back that somebody has removed, without a
// change of state, and announces it.
func TestAddressStolen(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.host.lan.mu.Lock()
		a.host.lan.arp[netip.MustParseAddr("10.0.0.100")] = 9
		a.host.lan.mu.Unlock()
		a.host.change(func(ls links) {
			l := ls["eth0"]
			l.addresses = l.addresses[:2]
			ls["eth0"] = l
		})
		synctest.Wait()
		if !a.host.holds(vip) {
			t.Error("the address is not back")
		}
		if at := a.host.lan.at("10.0.0.100"); at != 0 {
			t.Errorf("the neighbours think it is at %d", at)
		}
		want(t, a, "")
	})
}

// TestSplit proves a second master and forgets no one: whose, since when, and
// that it is over. An ordinary takeover is no proof.
func TestSplit(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Failover: []string{}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s := a.status("front"); s.State != Master || s.Split.Adverts > 0 {
			t.Errorf("%s, an ordinary takeover counts as a split: %+v", s.State, s.Split)
		}
		b.host.set(func(h *lanHost) { h.cut = true })
		time.Sleep(5 * time.Second)
		b.host.set(func(h *lanHost) { h.cut = false })
		healed := time.Now()
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		s := a.status("front").Split
		if !s.Now || s.Adverts == 0 || s.Addr != netip.MustParseAddr("10.0.0.2") || s.Priority != 100 || s.Since.Before(healed) {
			t.Errorf("split %+v", s)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := a.status("front").Split; s.Now || s.Adverts == 0 {
			t.Errorf("it is over: %+v", s)
		}
	})
}

// TestSlowKernel shows that no advertisement waits for the kernel.
func TestSlowKernel(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.host.set(func(h *lanHost) { h.stuck = 3 * time.Second })
		time.Sleep(20 * time.Second)
		want(t, a, "")
		want(t, b, "")
		if s := a.status("front"); s.LatenessMax > time.Millisecond {
			t.Errorf("an advertisement was %s late", s.LatenessMax)
		}
	})
}

// TestRefusedAddress says what the kernel refused, and tries again.
func TestRefusedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.refuse = errors.New("operation not permitted")
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.problems(); got != "group front: add 10.0.0.100/24 to eth0: operation not permitted" {
			t.Errorf("problems %q", got)
		}
		h.set(func(h *lanHost) { h.refuse = nil })
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !h.holds(vip) {
			t.Error("the address was not tried again")
		}
		r.end()
	})
}

// TestRefusedSocket waits in FAULT until the socket can be opened.
func TestRefusedSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.noport = errors.New("create socket: operation not permitted")
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		want(t, r, "front INIT>FAULT: open VRRP socket on eth0: create socket: operation not permitted")
		h.set(func(h *lanHost) { h.noport = nil })
		time.Sleep(2 * time.Second)
		want(t, r, "front FAULT>BACKUP: started\nfront BACKUP>MASTER: no master heard for 341ms")
		r.end()
	})
}

// TestDeafReader shows that a reader that has stopped reading stops nothing,
// and gets the transitions later.
func TestDeafReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		h := n.add()
		r := newLocal(nopLog(), host{h, h, h, h, time.Sleep})
		o := orders(front(150))
		r.Order(Command{Orders: &o})
		done := make(chan error, 1)
		go func() { done <- r.Run(t.Context()) }()
		time.Sleep(10 * time.Minute)
		before := n.count()
		time.Sleep(time.Second)
		synctest.Wait()
		if sent := n.count() - before; sent != 10 {
			t.Errorf("%d advertisements in a second", sent)
		}
		r.Order(Command{Orders: new(orders())})
		time.Sleep(time.Second)
		states := ""
		for range reportQueue + 1 {
			for _, tr := range (<-r.Reports()).Transitions {
				states += tr.To.String() + " "
			}
			time.Sleep(time.Second)
		}
		if states != "BACKUP MASTER INIT " {
			t.Errorf("transitions to %s", states)
		}
		r.Order(Command{Stop: true})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestHostilePackets counts each kind of bad packet and is moved by none.
func TestHostilePackets(t *testing.T) {
	src := netip.MustParseAddr("10.0.0.66")
	good := advert{version: 3, id: 51, priority: 254, interval: 100 * time.Millisecond, addresses: addrs("10.0.0.100")}
	tests := []struct {
		reason string
		spoil  func(*advert, *frame)
	}{
		{"ttl", func(_ *advert, f *frame) { f.ttl = 254 }},
		{"checksum", func(_ *advert, f *frame) { f.buf[2] ^= 1 }},
		{"length", func(_ *advert, f *frame) { f.n = 10 }},
		{"version", func(a *advert, _ *frame) { a.version = 2; a.interval = time.Second }},
		{"type", func(_ *advert, f *frame) { f.buf[0] = 0x32 }},
		{"interval", func(a *advert, _ *frame) { a.interval = 0 }},
		{"own", func(_ *advert, f *frame) { f.src = netip.MustParseAddr("10.0.0.1") }},
	}
	duo(t, func(t *testing.T, a, b *router) {
		for _, test := range tests {
			for _, r := range []*router{a, b} {
				for range 1000 {
					spoiled := good
					f := frame{src: src, dst: group4, ttl: 255}
					test.spoil(&spoiled, &f)
					f = frame{src: src, dst: group4, ttl: 255}
					f.n = copy(f.buf[:], spoiled.appendTo(nil, src, group4))
					test.spoil(&spoiled, &f)
					r.host.set(func(h *lanHost) { h.deliver(false, f) })
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				want := uint64(1000)
				if r == b && test.reason == "own" {
					continue // a's address is only a's own
				}
				if got := r.status("front").Stats.Dropped[test.reason]; got != want {
					t.Errorf("%s: router %d counts %d of %d", test.reason, r.host.id, got, want)
				}
			}
		}
		want(t, a, "")
	})
}
