package vrrp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func ip(s string) netip.Addr       { return netip.MustParseAddr(s) }

func told(ops []op) string {
	var lines []string
	for _, o := range ops {
		lines = append(lines, o.String())
	}
	return strings.Join(lines, "\n")
}

func TestFit(t *testing.T) {
	now := time.Now()
	m := newMember(front(100))
	local := Route{To: prefix("10.1.0.0/16"), Interface: "eth0", Table: 254, Scope: ScopeLink}
	far := Route{To: prefix("0.0.0.0/0"), Via: ip("10.1.0.1"), Source: ip("10.0.0.100"), Metric: 50, Table: 100}
	shownFar := far
	shownFar.Interface = "eth0"
	six := Route{To: prefix("2001:db8::/32"), Via: ip("fe80::1"), Interface: "eth0", Metric: 1024, Table: 254, Scope: ScopeLink}
	shownSix := six
	shownSix.Scope = ScopeGlobal
	rule := Rule{Priority: 1000, From: prefix("10.0.0.100/32"), Table: 100}
	own := StaticAddress{"eth1", prefix("10.9.0.1/24")}
	all := Fixtures{Addresses: []StaticAddress{own}, Routes: []Route{far, local, six}, Rules: []Rule{rule}}
	there := Fixtures{Addresses: []StaticAddress{own}, Routes: []Route{shownFar, local, shownSix}, Rules: []Rule{rule}}
	slower := far
	slower.MTU = 1400
	tests := []struct {
		name  string
		list  []fitting
		shown Fixtures
		want  []string
	}{
		{"nothing", nil, Fixtures{}, nil},
		{"all at once, in the order that works", []fitting{{member: m, fixtures: all, intent: keep, ready: true}}, Fixtures{}, []string{
			"add address 10.9.0.1/24 dev eth1",
			"add route 10.1.0.0/16 dev eth0 table 254 scope link",
			"add route 0.0.0.0/0 via 10.1.0.1 src 10.0.0.100 metric 50 table 100",
			"add route 2001:db8::/32 via fe80::1 dev eth0 metric 1024 table 254 scope link",
			"add rule priority 1000 from 10.0.0.100/32 table 100",
		}},
		{"all there, as the kernel shows it", []fitting{{member: m, fixtures: all, intent: keep, ready: true}}, there, nil},
		{"not ready: neither up nor off", []fitting{{fixtures: all, intent: keep}}, Fixtures{Routes: []Route{local}}, nil},
		{"of a former run, to be left alone", []fitting{{fixtures: all}}, there, nil},
		{"to be removed, but not yet", []fitting{{fixtures: all, intent: letGo, dropAt: now.Add(1)}}, there, nil},
		{"to be removed", []fitting{{fixtures: all, intent: letGo, dropAt: now}}, there, []string{
			"remove rule priority 1000 from 10.0.0.100/32 table 100",
			"remove route 0.0.0.0/0 via 10.1.0.1 dev eth0 src 10.0.0.100 metric 50 table 100",
			"remove route 10.1.0.0/16 dev eth0 table 254 scope link",
			"remove route 2001:db8::/32 via fe80::1 dev eth0 metric 1024 table 254",
			"remove address 10.9.0.1/24 dev eth1",
		}},
		{"nobody's", nil, Fixtures{Rules: []Rule{rule}}, []string{"remove rule priority 1000 from 10.0.0.100/32 table 100"}},
		{"changed", []fitting{{fixtures: Fixtures{Routes: []Route{slower}}, intent: keep, ready: true}}, Fixtures{Routes: []Route{shownFar}},
			[]string{"replace route 0.0.0.0/0 via 10.1.0.1 src 10.0.0.100 metric 50 table 100 mtu 1400"}},
		{"another's of two groups", []fitting{
			{fixtures: Fixtures{Routes: []Route{local}}, intent: letGo},
			{fixtures: Fixtures{Routes: []Route{far}}, intent: keep, ready: true},
		}, there, []string{
			"remove rule priority 1000 from 10.0.0.100/32 table 100",
			"remove route 10.1.0.0/16 dev eth0 table 254 scope link",
			"remove route 2001:db8::/32 via fe80::1 dev eth0 metric 1024 table 254",
			"remove address 10.9.0.1/24 dev eth1",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Join(test.want, "\n"), told(fit(test.list, scene{Fixtures: test.shown}, now))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReady(t *testing.T) {
	g := front(100)
	g.Excluded = []netip.Prefix{prefix("10.0.0.101/24")}
	g.Routes = []Route{{To: prefix("0.0.0.0/0"), Source: ip("10.0.0.101")}}
	tests := []struct {
		name string
		kept kept
		want bool
	}{
		{"nothing up", kept{}, false},
		{"one up", kept{held: g.Addresses}, false},
		{"all up", kept{held: g.held()}, true},
		{"the source refused", kept{held: g.Addresses, problem: "no"}, false},
		{"another refused", kept{held: g.Excluded, problem: "no"}, true},
	}
	for _, test := range tests {
		if got := g.ready(test.kept); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestFixtures has two machines with routes, rules and static fixtures: those
// of the group follow the master, are there after its addresses and come back.
func TestFixtures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLAN()
		a, b := n.add(), n.add()
		src := Route{To: prefix("0.0.0.0/0"), Via: ip("10.0.0.254"), Source: ip("10.0.0.100"), Metric: 5, Table: 100}
		rule := Rule{Priority: 1000, From: prefix("10.0.0.100/32"), Table: 100}
		left := Route{To: prefix("10.7.0.0/16"), Action: Blackhole, Table: 254}
		static := Fixtures{
			Addresses: []StaticAddress{{"eth0", prefix("10.9.0.1/24")}},
			Routes:    []Route{{To: prefix("10.8.0.0/16"), Action: Blackhole, Table: 254}},
		}
		with := func(priority uint8) Orders {
			g := front(priority)
			g.Routes, g.Rules = []Route{src}, []Rule{rule}
			o := orders(g)
			o.Config.Static = static
			return o
		}
		a.tables.fixtures = map[uint8]Fixtures{DefaultMark: {Routes: []Route{left}}, 4: {Routes: []Route{left}}}
		ra := a.boot(t, with(150))
		rb := b.boot(t, with(100))
		expect := func(what string, h *lanHost, want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, h.routing()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		statics := []string{"add address 10.9.0.1/24 dev eth0", "add route blackhole 10.8.0.0/16 table 254"}
		up := []string{"add route 0.0.0.0/0 via 10.0.0.254 src 10.0.0.100 metric 5 table 100", "add rule priority 1000 from 10.0.0.100/32 table 100"}
		down := []string{"remove rule priority 1000 from 10.0.0.100/32 table 100", "remove route 0.0.0.0/0 via 10.0.0.254 src 10.0.0.100 metric 5 table 100"}
		time.Sleep(2 * time.Second)
		expect("start, after a former run", a, slices.Concat(statics, []string{"remove route blackhole 10.7.0.0/16 table 254"}, up)...)
		expect("start of the backup", b, statics...)
		if s := ra.status("front"); s.Routes != 1 || s.Rules != 1 {
			t.Errorf("status: %d routes, %d rules", s.Routes, s.Rules)
		}

		for range 3 { // as an engine does
			ra.Order(Command{Orders: new(with(150))})
			time.Sleep(auditEvery)
		}
		expect("orders as before", a)

		a.set(func(h *lanHost) { h.tables.fixtures[DefaultMark] = Fixtures{} })
		time.Sleep(auditEvery + time.Second)
		expect("removed by somebody else", a, slices.Concat(statics, up)...)

		ra.Order(Command{Failover: []string{"front"}})
		time.Sleep(orderedStay + 2*time.Second)
		expect("handed over, and back by rule", a, slices.Concat(down, up)...)
		expect("taken over, and yielded", b, slices.Concat(up, down)...)

		more := with(150)
		more.Config.Static.Routes = nil
		ra.Order(Command{Orders: &more})
		time.Sleep(time.Second)
		expect("a static route less", a, "remove route blackhole 10.8.0.0/16 table 254")
		other := more
		other.Config.Mark = 119
		ra.Order(Command{Orders: &other})
		time.Sleep(time.Second)
		expect("another mark", a, slices.Concat(down, []string{"remove address 10.9.0.1/24 dev eth0", "add address 10.9.0.1/24 dev eth0"}, up)...)

		a.set(func(h *lanHost) { h.tables.refuse = errors.New("no") })
		a.set(func(h *lanHost) { h.tables.fixtures[119] = Fixtures{} })
		time.Sleep(2 * auditEvery)
		a.set(func(h *lanHost) { h.tables.refuse = nil })
		time.Sleep(retryMax)
		expect("refused, and tried again", a, slices.Concat(statics[:1], up)...)
		if p := ra.problems(); !strings.Contains(p, "group front: add route 0.0.0.0/0") || !strings.Contains(p, "add address 10.9.0.1/24 dev eth0: no") {
			t.Errorf("problems: %q", p)
		}

		ra.Order(Command{Stop: true})
		ra.wait()
		expect("stopped", a, slices.Concat(down, []string{"remove address 10.9.0.1/24 dev eth0"})...)
		if rest := a.tables.fixtures[4].Routes; len(rest) != 1 {
			t.Errorf("what others have is gone: %v", rest)
		}
		time.Sleep(time.Second) // until B has all that it takes over
		rb.end()
		expect("ended without an order", b, up...)
	})
}
