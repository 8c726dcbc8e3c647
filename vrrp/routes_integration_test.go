//go:build integration

package vrrp

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// routed is a group with routes and rules of all kinds.
func routed() Group {
	g := interopCases()[0]
	g.Addresses = g.Addresses[:1]
	g.Excluded = []netip.Prefix{prefix("2001:db8::100/64")}
	g.Routes = []Route{
		{To: prefix("0.0.0.0/0"), Via: ip("10.8.0.1"), Source: ip("192.0.2.100"), Table: 1000},
		{To: prefix("10.7.0.0/16"), Via: ip("192.0.2.9"), Source: ip("192.0.2.100"), Metric: 50, MTU: 1400, Table: 254},
		{To: prefix("10.8.0.0/16"), Interface: "eth0", Scope: ScopeLink, Table: 254},
		{To: prefix("10.8.0.0/16"), Interface: "eth0", Scope: ScopeLink, Table: 1000},
		{To: prefix("10.9.0.0/16"), Action: Blackhole, Table: 254},
		{To: prefix("10.10.0.0/16"), Via: ip("203.0.113.1"), Interface: "eth0", OnLink: true, Table: 254},
		{To: prefix("2001:db8:7::/48"), Via: ip("fe80::9"), Interface: "eth0", Source: ip("2001:db8::100"), Metric: 1024, Table: 254},
		{To: prefix("2001:db8:9::/48"), Action: Unreachable, Metric: 1024, Table: 254},
	}
	g.Rules = []Rule{
		{Priority: 1000, From: prefix("192.0.2.100/32"), Table: 1000},
		{Priority: 1001, Mark: 7, In: "eth0", Action: Prohibit},
		{V6: true, Priority: 1000, To: prefix("2001:db8:7::/48"), Table: 254},
	}
	return g
}

// routing is what a machine has of ours, as ip(8) shows it.
func (w *wire) routing(ns string) string {
	w.t.Helper()
	var all []string
	for _, args := range []string{"-4 route show table all proto 118", "-6 route show table all proto 118", "-4 rule show", "-6 rule show"} {
		for line := range strings.Lines(w.ip(append([]string{"-n", ns}, strings.Fields(args)...)...)) {
			if !strings.Contains(line, "lookup local") && !strings.HasPrefix(line, "32766:") && !strings.Contains(line, "lookup default") {
				all = append(all, strings.Join(strings.Fields(line), " "))
			}
		}
	}
	return strings.Join(all, "\n")
}

const routedText = `default via 10.8.0.1 dev eth0 table 1000 src 192.0.2.100
10.8.0.0/16 dev eth0 table 1000 scope link
10.7.0.0/16 via 192.0.2.9 dev eth0 src 192.0.2.100 metric 50 mtu 1400
10.8.0.0/16 dev eth0 scope link
blackhole 10.9.0.0/16
10.10.0.0/16 via 203.0.113.1 dev eth0 onlink
2001:db8:7::/48 via fe80::9 dev eth0 src 2001:db8::100 metric 1024 pref medium
unreachable 2001:db8:9::/48 dev lo metric 1024 pref medium
1000: from 192.0.2.100 lookup 1000 proto 118
1001: from all fwmark 0x7 iif eth0 prohibit proto 118
1000: from all to 2001:db8:7::/48 lookup main proto 118`

// TestRoutes has routes and rules follow the master. They come back when they
// are removed, stay as they are when orders come again, and what is left
// behind by a kill goes.
func TestRoutes(t *testing.T) {
	w := newWire(t)
	g := routed()
	g.Lease = 2 * time.Second
	// Others' routes are none of our business.
	w.ip("-n", w.b, "route", "add", "10.20.0.0/16", "via", "192.0.2.1", "proto", "static")
	a := w.director(w.a, orders(priority(g, 150)))
	all := func(ns string) func() bool { return func() bool { return w.routing(ns) == routedText } }
	none := func(ns string) func() bool { return func() bool { return w.routing(ns) == "" } }
	t.Cleanup(func() {
		for _, ns := range []string{w.a, w.b} {
			if got := w.routing(ns); t.Failed() && got != "" {
				t.Logf("%s (-want +got):\n%s", ns, cmp.Diff(routedText, got))
			}
		}
	})
	w.eventually("the master has its routes", starting, all(w.a))
	b := w.director(w.b, orders(priority(g, 100)))
	w.eventually("the other is backup", starting, func() bool { return b.status(g.Name).State == Backup })
	w.eventually("the master says so", starting, func() bool { s := a.status(g.Name); return s.Routes == len(g.Routes) && s.Rules == len(g.Rules) })
	if !none(w.b)() {
		t.Error("the backup has routes")
	}

	monitor := w.start(w.a, nil, "ip", "-o", "monitor", "route", "rule")
	w.eventually("the monitor hears", starting, func() bool {
		w.ip("-n", w.a, "route", "add", "10.99.0.0/16", "via", "192.0.2.2")
		w.ip("-n", w.a, "route", "del", "10.99.0.0/16")
		return strings.Contains(monitor.log.String(), "10.99.0.0/16")
	})
	for _, p := range []uint8{151, 152, 150} {
		o := orders(priority(g, p))
		a.order(Command{Orders: &o})
		w.eventually("the orders are taken", starting, func() bool { return a.status(g.Name).Priority == p })
	}
	if heard := monitor.log.String(); strings.Contains(heard, "proto 118") {
		t.Errorf("orders that change nothing have changed routes:\n%s", heard)
	}

	for _, remove := range []string{
		"route del 10.7.0.0/16", "rule del priority 1000", "-6 route flush proto 118", "-4 route flush table all proto 118",
		"addr del 192.0.2.100/24 dev eth0", "link set eth0 down",
	} {
		w.ip(append([]string{"-n", w.a}, strings.Fields(remove)...)...)
		if strings.HasPrefix(remove, "link") {
			w.ip("-n", w.a, "link", "set", "eth0", "up")
		}
		w.eventually("all is back after ip "+remove, starting, all(w.a))
	}
	less := g
	less.Routes = append(g.Routes[:0:0], g.Routes...)
	less.Routes[1].MTU = 1300
	less.Routes[6].MTU = 1300
	less.Rules = g.Rules[:2]
	o := orders(priority(less, 150))
	a.order(Command{Orders: &o})
	changed := strings.ReplaceAll(routedText, "mtu 1400", "mtu 1300")
	changed = strings.Replace(changed, "metric 1024 pref", "metric 1024 mtu 1300 pref", 1)
	changed = changed[:strings.LastIndex(changed, "\n")]
	w.eventually("other orders are followed", starting, func() bool { return w.routing(w.a) == changed })

	a.order(Command{Stop: true})
	w.eventually("the other has them", starting, all(w.b))
	<-a.done
	if !none(w.a)() {
		t.Error("who has left has routes")
	}

	b.signal(syscall.SIGKILL)
	<-b.done
	// fib_sync_down_addr looks at table main only.
	w.eventually("IPv4 routes of table main from a leased address go with it", starting, func() bool {
		return !strings.Contains(w.routing(w.b), "10.7.0.0/16")
	})
	if is := w.routing(w.b); !strings.Contains(is, "blackhole 10.9.0.0/16") || !strings.Contains(is, "default via 10.8.0.1") {
		t.Errorf("no leftovers to be removed:\n%s", is)
	}
	g.Routes, g.Rules = nil, nil
	w.director(w.b, orders(priority(g, 100)))
	w.eventually("what was left behind goes", starting, none(w.b))
	if is := w.ip("-n", w.b, "route"); !strings.Contains(is, "10.20.0.0/16") {
		t.Errorf("and so does what is not ours:\n%s", is)
	}
}

// TestStatic has fixtures that are always there, whoever is master.
func TestStatic(t *testing.T) {
	w := newWire(t)
	g := priority(interopCases()[0], 100)
	o := orders(g)
	o.Config.Static = Fixtures{
		Addresses: []StaticAddress{{"eth0", prefix("10.1.0.5/24")}, {"eth0", prefix("2001:db8::5/64")}, {"eth0", prefix("192.0.2.1/24")}},
		Routes:    []Route{{To: prefix("10.2.0.0/16"), Via: ip("10.1.0.1"), Source: ip("10.1.0.5"), Table: 254}},
		Rules:     []Rule{{Priority: 2000, From: prefix("10.1.0.5/32"), Table: 254}},
	}
	a := w.director(w.a, o)
	there := func() bool {
		return w.has(w.a, "10.1.0.5/24") && w.has(w.a, "2001:db8::5/64") && w.routing(w.a) ==
			"10.2.0.0/16 via 10.1.0.1 dev eth0 src 10.1.0.5\n2000: from 10.1.0.5 lookup main proto 118"
	}
	w.eventually("static fixtures", starting, there)
	w.eventually("master", starting, func() bool { return a.status(g.Name).State == Master })
	w.ip("-n", w.a, "addr", "flush", "to", "10.1.0.5", "dev", "eth0")
	w.ip("-n", w.a, "rule", "del", "priority", "2000")
	w.eventually("they are back", starting, there)

	a.signal(syscall.SIGKILL)
	<-a.done
	if !there() {
		t.Errorf("a kill takes static fixtures off")
	}
	o.Config.Static.Addresses = o.Config.Static.Addresses[2:]
	o.Config.Static.Routes, o.Config.Static.Rules = nil, nil
	a = w.director(w.a, o)
	w.eventually("what is configured no longer goes", starting, func() bool {
		return !w.has(w.a, "10.1.0.5/24") && !w.has(w.a, "2001:db8::5/64") && w.routing(w.a) == ""
	})
	a.order(Command{Stop: true})
	<-a.done
	if !w.has(w.a, "192.0.2.1/24") {
		t.Error("an address that was there before is gone")
	}
}
