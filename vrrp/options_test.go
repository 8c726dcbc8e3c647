package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// two runs two routers for a while, the first of higher priority, with the
// options that change gives each.
func two(t *testing.T, changeA, changeB func(*Group), d time.Duration, f func(a, b *router)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		ga, gb := front(150), front(100)
		changeA(&ga)
		changeB(&gb)
		a, b := n.add().boot(t, orders(ga)), n.add().boot(t, orders(gb))
		time.Sleep(d)
		synctest.Wait()
		f(a, b)
		a.end()
		b.end()
	})
}

func nothing(*Group) {}

// oneMaster checks that the two speak to each other.
func oneMaster(t *testing.T) func(a, b *router) {
	return func(a, b *router) {
		t.Helper()
		if sa, sb := a.status("front"), b.status("front"); sa.State != Master || sb.State != Backup || len(sb.Stats.Dropped) > 0 {
			t.Errorf("states %s and %s, dropped %v", sa.State, sb.State, sb.Stats.Dropped)
		}
	}
}

// bothMasters checks that they do not, and why.
func bothMasters(t *testing.T, whyA, whyB string) func(a, b *router) {
	return func(a, b *router) {
		t.Helper()
		sa, sb := a.status("front"), b.status("front")
		if sa.State != Master || sb.State != Master || sa.Stats.Dropped[whyA] == 0 || sb.Stats.Dropped[whyB] == 0 {
			t.Errorf("states %s and %s, dropped %v and %v", sa.State, sb.State, sa.Stats.Dropped, sb.Stats.Dropped)
		}
	}
}

func unicast(peers ...string) func(*Group) {
	return func(g *Group) { g.Unicast = &Unicast{Peers: addrs(peers...)} }
}

func TestUnicast(t *testing.T) {
	far := func(g *Group) { g.Unicast = &Unicast{Peers: addrs("10.0.0.1", "10.0.0.2"), TTL: 64} }
	lenient := func(g *Group) { g.Unicast = &Unicast{Peers: addrs("10.0.0.1", "10.0.0.2"), MinTTL: 60} }
	six := func(g *Group) {
		g.Addresses = []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}
		g.Unicast = &Unicast{Peers: addrs("fe80::1", "fe80::2")}
	}
	tests := []struct {
		name string
		a, b func(*Group)
		want func(a, b *router)
	}{
		{"pair", unicast("10.0.0.2"), unicast("10.0.0.1"), oneMaster(t)},
		{"pair, IPv6", six, six, oneMaster(t)},
		{"more hops allowed", far, lenient, oneMaster(t)},
		{"one hop only", far, unicast("10.0.0.1"), func(a, b *router) {
			if n := b.status("front").Stats.Dropped["ttl"]; n == 0 {
				t.Error("taken from afar")
			}
		}},
		{"a stranger", unicast("10.0.0.2"), unicast("10.0.0.3"), func(_, b *router) {
			if n := b.status("front").Stats.Dropped["source"]; n == 0 {
				t.Error("taken from a stranger")
			}
		}},
		{"one speaks multicast", unicast("10.0.0.2"), nothing, bothMasters(t, "destination", "destination")},
		{"source that is not there", func(g *Group) {
			g.Unicast = &Unicast{Source: netip.MustParseAddr("10.0.0.77"), Peers: addrs("10.0.0.2")}
		}, unicast("10.0.0.1"), func(a, b *router) {
			if s := a.status("front"); s.State != Fault || s.Reason != "interface eth0 has no address 10.0.0.77 to send from" {
				t.Errorf("%s: %s", s.State, s.Reason)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { two(t, test.a, test.b, 2*time.Second, test.want) })
	}
}

func TestPassword(t *testing.T) {
	with := func(word string) func(*Group) {
		return func(g *Group) { g.Version, g.Interval, g.Password = 2, time.Second, word }
	}
	t.Run("same", func(t *testing.T) { two(t, with("secret12"), with("secret12"), 6*time.Second, oneMaster(t)) })
	t.Run("different", func(t *testing.T) {
		two(t, with("secret12"), with("secret"), 6*time.Second, bothMasters(t, "auth", "auth"))
	})
	t.Run("none on one", func(t *testing.T) { two(t, with("secret12"), with(""), 6*time.Second, bothMasters(t, "auth", "auth")) })
}

func TestSigned(t *testing.T) {
	with := func(mode HMACMode, id uint8) func(*Group) {
		return func(g *Group) {
			k := vectorKey()
			k.ID = id
			g.HMAC = &HMAC{Keys: []Key{k}, Active: id, Mode: mode, Clock: true}
		}
	}
	six := func(g *Group) {
		with(HMACEnforce, 1)(g)
		g.Addresses = []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}
	}
	t.Run("enforced", func(t *testing.T) { two(t, with(HMACEnforce, 1), with(HMACEnforce, 1), time.Second, oneMaster(t)) })
	t.Run("enforced, IPv6", func(t *testing.T) { two(t, six, six, time.Second, oneMaster(t)) })
	t.Run("unsigned", func(t *testing.T) {
		two(t, nothing, with(HMACEnforce, 1), 2*time.Second, func(_, b *router) {
			if n := b.status("front").Stats.Dropped["unsigned"]; n == 0 || b.status("front").State != Master {
				t.Error("an unsigned advertisement was taken")
			}
		})
	})
	t.Run("another key", func(t *testing.T) {
		two(t, with(HMACEnforce, 1), with(HMACEnforce, 2), 2*time.Second, bothMasters(t, "unknown_key", "unknown_key"))
	})
	t.Run("first step of a conversion", func(t *testing.T) { two(t, nothing, with(HMACReceiveOnly, 1), time.Second, oneMaster(t)) })
	t.Run("second step", func(t *testing.T) {
		two(t, with(HMACPermissive, 1), with(HMACReceiveOnly, 1), time.Second, oneMaster(t))
	})
	t.Run("an old one does not mind", func(t *testing.T) { two(t, with(HMACPermissive, 1), nothing, time.Second, oneMaster(t)) })
}

// TestExcluded holds addresses that are not advertised, also of the other family.
func TestExcluded(t *testing.T) {
	more := func(g *Group) {
		g.Excluded = []netip.Prefix{netip.MustParsePrefix("10.0.0.200/24"), netip.MustParsePrefix("2001:db8::1/64")}
	}
	two(t, more, nothing, time.Second, func(a, b *router) {
		if !a.host.holds("10.0.0.200/24") || !a.host.holds("2001:db8::1/64") || !a.host.holds(vip) {
			t.Error("an address is missing")
		}
		if n := b.status("front").Stats.Mismatched; n != 0 {
			t.Errorf("they are advertised: %d mismatches", n)
		}
	})
}

// TestStartDelay waits after the start of the process, whatever happens meanwhile,
// and not again after a fault or a change of the configuration.
func TestStartDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		h.change(func(ls links) { l := ls["eth0"]; l.up = false; ls["eth0"] = l })
		g := front(150)
		g.StartDelay = 20 * time.Second
		r := h.boot(t, orders(g))
		time.Sleep(5 * time.Second)
		want(t, r, "front INIT>FAULT: interface eth0 is down")
		h.change(func(ls links) { l := ls["eth0"]; l.up = true; ls["eth0"] = l })
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if s := r.status("front"); s.State != Initialize || s.Reason != "start_delay: waits for 15s" {
			t.Errorf("%s: %s", s.State, s.Reason)
		}
		want(t, r, "front FAULT>INIT: start_delay: waits for 15s")
		o := orders(g) // once more changes nothing
		r.Order(Command{Orders: &o})
		time.Sleep(2 * time.Second)
		want(t, r, "front INIT>BACKUP: started\nfront BACKUP>MASTER: no master heard for 341ms")
		h.change(func(ls links) { l := ls["eth0"]; l.up = false; ls["eth0"] = l })
		time.Sleep(time.Second)
		h.change(func(ls links) { l := ls["eth0"]; l.up = true; ls["eth0"] = l })
		time.Sleep(time.Second)
		want(t, r, "front MASTER>FAULT: interface eth0 is down\nfront FAULT>BACKUP: started\nfront BACKUP>MASTER: no master heard for 341ms")
		// A group that joins the serving one does not take it down.
		back := g
		back.Name, back.RouterID, back.StartDelay = "back", 52, time.Hour
		back.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.200/24")}
		both := orders(g, back)
		both.Config.SyncGroups = []SyncGroup{{Name: "pair", Groups: []string{"front", "back"}}}
		r.Order(Command{Orders: &both})
		time.Sleep(time.Second)
		synctest.Wait()
		if a, b := r.status("front"), r.status("back"); a.State != Master || b.State != Master {
			t.Errorf("after one has joined: %s (%s), %s (%s)", a.State, a.Reason, b.State, b.Reason)
		}
		r.end()
	})
}

// TestStartDelayEndsInASyncGroup: who still waits serves when it joins a group that does.
func TestStartDelayEndsInASyncGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLAN().add()
		back := front(150)
		back.Name, back.RouterID, back.StartDelay = "back", 52, time.Minute
		back.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.200/24")}
		r := h.boot(t, orders(front(150), back))
		time.Sleep(10 * time.Second)
		want(t, r, "front INIT>BACKUP: started\nfront BACKUP>MASTER: no master heard for 341ms")
		both := orders(front(150), back)
		both.Config.SyncGroups = []SyncGroup{{Name: "pair", Groups: []string{"front", "back"}}}
		r.Order(Command{Orders: &both})
		time.Sleep(time.Second)
		synctest.Wait()
		if a, b := r.status("front"), r.status("back"); a.State != Master || b.State != Master {
			t.Errorf("%s (%s), %s (%s)", a.State, a.Reason, b.State, b.Reason)
		}
		r.end()
	})
}

// TestDownAdverts waits for as many missed advertisements as it was told.
func TestDownAdverts(t *testing.T) {
	patient := func(g *Group) { g.DownAdverts = 10 }
	two(t, nothing, patient, 2*time.Second, func(a, b *router) {
		b.told()
		a.end()
		time.Sleep(950 * time.Millisecond)
		want(t, b, "")
		time.Sleep(150 * time.Millisecond)
		want(t, b, "front BACKUP>MASTER: master 10.0.0.1 silent for 1.061s")
	})
}

// TestAnnounceTimes announces when it was told to.
func TestAnnounceTimes(t *testing.T) {
	tests := []struct {
		name     string
		announce Announce
		addrs    int
		want     uint64 // within 10.3 seconds of mastership
	}{
		{"by default", Announce{}, 1, 6},
		{"once", Announce{Times: []time.Duration{0}}, 1, 1},
		{"with refresh", Announce{Times: []time.Duration{0}, Refresh: time.Second}, 1, 11},
		{"never", Announce{Times: []time.Duration{}}, 1, 0},
		{"spaced", Announce{Times: []time.Duration{0, time.Second}, Spacing: 2 * time.Second}, 4, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := front(150)
				g.Announce = test.announce
				for i := range test.addrs - 1 {
					g.Addresses = append(g.Addresses, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(101 + i)}), 24))
				}
				r := newLAN().add().boot(t, orders(g))
				time.Sleep(10700 * time.Millisecond)
				synctest.Wait()
				if got := r.status("front").Stats.AnnouncementsOut; got != test.want {
					t.Errorf("%d announcements, want %d", got, test.want)
				}
				r.end()
			})
		})
	}
}

// TestBadOrders puts groups that cannot be into FAULT, says so, and runs the others.
func TestBadOrders(t *testing.T) {
	tests := []struct {
		spoil func(*Group)
		want  string
	}{
		{func(g *Group) { g.Version = 4 }, "version 4 is neither 2 nor 3"},
		{func(g *Group) { g.RouterID = 0 }, "router id 0 is not allowed"},
		{func(g *Group) { g.Priority = 0 }, "priority 0 is not allowed"},
		{func(g *Group) { g.Addresses = nil }, "no addresses"},
		{func(g *Group) { g.Addresses = append(g.Addresses, netip.MustParsePrefix("fe80::1/64")) }, "IPv4 and IPv6 addresses in one group"},
		{func(g *Group) { g.Version, g.Interval = 2, 1500*time.Millisecond }, "version 2 has no interval of 1.5s"},
		{func(g *Group) { g.Interval = 15 * time.Millisecond }, "version 3 has no interval of 15ms"},
		{func(g *Group) { g.Interval = 41 * time.Second }, "interval 41s is above 40.95s"},
		{func(g *Group) { g.Password = "secret" }, "only version 2 has a password"},
		{func(g *Group) { g.Unicast = &Unicast{} }, "unicast without peers"},
		{unicast("fe80::1"), "unicast peers of another family than the addresses"},
		{func(g *Group) { g.HMAC = &HMAC{Active: 1} }, "HMAC key 1 to sign with is not among the keys"},
		{func(g *Group) { g.RouterID = 51 }, "router id 51 on eth0 is used by group front"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := front(100)
				bad.Name, bad.RouterID = "bad", 52
				test.spoil(&bad)
				r := newLAN().add().boot(t, orders(front(150), bad))
				time.Sleep(time.Second)
				synctest.Wait()
				if diff := cmp.Diff("group bad: "+test.want, r.problems()); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
				if a, b := r.status("front"), r.status("bad"); a.State != Master || b.State != Fault || b.Reason != test.want {
					t.Errorf("front is %s, bad is %s: %s", a.State, b.State, b.Reason)
				}
				r.end()
			})
		})
	}
}

// TestLinkLocalFirst sends the link-local address first, wherever it is written.
func TestLinkLocalFirst(t *testing.T) {
	g := front(100)
	g.Addresses = []netip.Prefix{netip.MustParsePrefix("2001:db8::100/64"), netip.MustParsePrefix("fe80::100/64")}
	l := stillLoop(t, g)
	m := l.core.members[0]
	l.send(m, 100)
	if diff := cmp.Diff("[fe80::100 2001:db8::100]", fmt.Sprint(m.advert.addresses)); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}
