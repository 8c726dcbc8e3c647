package vrrp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
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

// TestTakeoverInOneReport tells of a takeover once, when the addresses are up.
func TestTakeoverInOneReport(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		b.heard()
		a.end()
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		told := 0
		for _, r := range b.heard() {
			for _, s := range r.Status {
				if s.State != Master {
					continue
				}
				if told++; len(r.Transitions) != 1 || len(s.Addresses) != 1 {
					t.Errorf("report %+v, want the transition and the address in one", r)
				}
			}
		}
		if told != 1 {
			t.Errorf("%d reports of a master, want 1", told)
		}
	})
}

// logOf runs a router on the machine for a time and returns what it has logged.
func logOf(t *testing.T, h *lanHost, d time.Duration) *observer.ObservedLogs {
	t.Helper()
	seen, logs := observer.New(zap.InfoLevel)
	r := newLocal(zap.New(seen), host{h, h, h, h})
	o := orders(front(150))
	r.Order(Command{Orders: &o})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	time.Sleep(d)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return logs
}

// TestTransitionIsLoggedWithItsTime logs a change of state after the takeover is
// done, with the time at which it began.
func TestTransitionIsLoggedWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		logs := logOf(t, newLAN().add(), 350*time.Millisecond) // the takeover, after 341 ms, is not told yet
		var at []time.Duration
		for _, entry := range logs.FilterMessage("group changed its state").All() {
			at = append(at, entry.Time.Sub(started).Round(time.Millisecond))
		}
		if want := []time.Duration{0, 341 * time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("changes logged with the times %v, want %v", at, want)
		}
	})
}

// TestNotReady says once, and before it must, that it could not take over.
func TestNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.unready = errors.New("no permission")
		told := logOf(t, h, 10*time.Second).FilterMessage("not ready to take over").All()
		if len(told) != 1 || told[0].ContextMap()["error"] != "no permission" || told[0].ContextMap()["interface"] != "eth0" {
			t.Errorf("told %v, want it once", told)
		}
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
		time.Sleep(gathering)
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
		time.Sleep(gathering)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 left")
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

// TestDeafReader shows that a reader that has stopped reading stops nothing,
// and gets the transitions later.
func TestDeafReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		h := n.add()
		r := newLocal(nopLog(), host{h, h, h, h})
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

// TestOwnAddressStays: a group that is given the machine's only address by mistake, or
// that was its owner and is to be no longer, does not take it away.
func TestOwnAddressStays(t *testing.T) {
	own := func(ls links, up bool) {
		l := ls["eth0"]
		l.up, l.addresses = up, []linkAddress{{prefix: netip.MustParsePrefix(vip), permanent: true}}
		ls["eth0"] = l
	}
	for _, c := range []struct {
		name  string
		first uint8
		up    bool // the interface, at the start
	}{{"by mistake", 150, true}, {"of a former owner", owner, true}, {"behind a cable that is out", 150, false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLAN().add()
				h.change(func(ls links) { own(ls, c.up) })
				r := h.boot(t, orders(front(c.first)))
				time.Sleep(time.Second)
				h.change(func(ls links) { own(ls, true) })
				o := orders(front(150))
				r.Order(Command{Orders: &o})
				time.Sleep(time.Second)
				synctest.Wait()
				if s := r.status("front"); s.State != Fault || !strings.Contains(s.Reason, "only the owner") {
					t.Errorf("%s: %s", s.State, s.Reason)
				}
				r.Order(Command{Stop: true})
				r.wait()
				if history := h.had(); len(history) > 0 {
					t.Errorf("the addresses went %v, want the machine's own left alone", history)
				}
			})
		})
	}
}

// TestOwnAddressOfAnother: that one group has the machine's only address by mistake
// keeps no address of another group up.
func TestOwnAddressOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add() // of 10.0.0.1/24
		r := h.boot(t, orders(front(150)))
		time.Sleep(time.Second)
		if !h.holds(vip) {
			t.Fatal("the first group does not serve")
		}
		wrong := front(100)
		wrong.Name, wrong.RouterID = "wrong", 52
		wrong.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}
		o := orders(front(150), wrong)
		r.Order(Command{Orders: &o})
		time.Sleep(time.Second)
		synctest.Wait()
		if h.holds(vip) || !h.holds("10.0.0.1/24") {
			t.Errorf("the addresses went %v, want the virtual one off and the machine's own left alone", h.had())
		}
		r.end()
	})
}

// TestStopWithARefusedPort: what is tried again each second starts no group anew that
// is to stop.
func TestStopWithARefusedPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		slow := front(150)
		slow.Interval = time.Second
		r := h.boot(t, orders(slow))
		time.Sleep(5 * time.Second)
		h.set(func(h *lanHost) { h.noport = errors.New("no IPv6 here") })
		six := front(150)
		six.Name, six.Addresses = "six", []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}
		o := orders(slow, six)
		r.Order(Command{Orders: &o})
		time.Sleep(time.Second)
		synctest.Wait()
		if s := r.status("six"); s.State != Fault {
			t.Fatalf("six is %s: %s", s.State, s.Reason)
		}
		began := time.Now()
		r.Order(Command{Stop: true})
		r.wait()
		if took := time.Since(began); took > StopTimeout {
			t.Errorf("the stop took %s", took)
		}
	})
}
