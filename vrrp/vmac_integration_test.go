//go:build integration

package vrrp

import (
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// TestVirtualMAC moves an address between director and keepalived, both with
// the virtual router's MAC address: it answers from wherever it is, and the
// client's neighbour entry never changes.
func TestVirtualMAC(t *testing.T) {
	for _, g := range interopCases()[:2] {
		t.Run(g.Name, func(t *testing.T) {
			w := newWire(t)
			g.VirtualMAC = true
			g.Addresses = g.Addresses[:1]
			mine, theirs := priority(g, 150), priority(g, 100)
			skew, down := times(theirs)
			mac, host := "00:00:5e:00:01:33", "192.0.2.100"
			if g.v6() {
				mac, host = "00:00:5e:00:02:33", "fe80::100%eth0"
			}
			d := w.director(w.a, orders(mine))
			up := func(ns string) bool {
				return strings.Contains(w.ip("-n", ns, "-o", "addr"), " "+g.Addresses[0].String()+" ")
			}
			w.eventually("director is master", starting, func() bool { return up(w.a) })
			links := w.ip("-n", w.a, "-d", "link")
			if !strings.Contains(links, mac) || !strings.Contains(links, "macvlan mode private") {
				t.Errorf("no macvlan with %s:\n%s", mac, links)
			}
			device := regexp.MustCompile(`vrrp[46]-51\.\w+`).FindString(links)
			seen := ""
			t.Cleanup(func() { t.Logf("the neighbour saw %s", seen) })
			answers := func() {
				t.Helper()
				w.ip("-n", w.b, "neigh", "flush", "dev", "eth0")
				w.run("ip", "netns", "exec", w.b, "bash", "-c", "echo > /dev/udp/"+host+"/9")
				w.eventually("the address answers with "+mac, slack, func() bool {
					seen = w.ip("-n", w.b, "neigh", "show", strings.TrimSuffix(host, "%eth0"), "dev", "eth0")
					return strings.Contains(seen, mac)
				})
			}
			answers()
			// Somebody removes the macvlan: the one made in its place announces.
			w.ip("-n", w.a, "link", "del", device)
			w.eventually("the address is up again", slack, func() bool { return up(w.a) })
			again := d.status(g.Name).Stats.AnnouncementsOut
			w.eventually("it is announced", slack, func() bool { return d.status(g.Name).Stats.AnnouncementsOut > again })
			if log := d.log.String(); strings.Contains(log, "invalid argument") {
				t.Errorf("announcing from the new macvlan failed:\n%s", log)
			}
			answers()
			k := w.keepalived(w.b, theirs, " use_vmac")
			w.eventually("keepalived is up", starting, k.speaks)
			w.never("keepalived takes over from a live master", down, func() bool { return up(w.b) })
			d.order(Command{Stop: true})
			w.eventually("keepalived follows a director that stops", skew, func() bool { return up(w.b) })
			<-d.done
			if links := w.ip("-n", w.a, "link"); strings.Contains(links, mac) {
				t.Errorf("the macvlan is still there:\n%s", links)
			}
			d = w.director(w.a, orders(mine))
			w.eventually("director preempts", starting, func() bool { return up(w.a) })
			w.eventually("keepalived yields", slack, func() bool { return !up(w.b) })
			k.signal(syscall.SIGTERM)
			<-k.done
			if s := d.status(g.Name); len(s.Stats.Dropped) != 0 || s.Stats.SendErrors != 0 {
				t.Errorf("%+v", s.Stats)
			}
			answers()
		})
	}
}

// TestHalfMadeVirtualMAC finishes a macvlan that was left half made.
func TestHalfMadeVirtualMAC(t *testing.T) {
	h := emptyNamespace(t)
	l := addDummy(t, h, "eth0")
	l.vmac = virtualMAC(51, false)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr = l.device(), l.index, l.vmac
	if err := h.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}); err != nil {
		t.Fatal(err)
	}
	is := holding{link: l, prefix: netip.MustParsePrefix("192.0.2.100/24"), lease: 10 * time.Second}
	if err := newRtnetlink().hold(is); err != nil {
		t.Fatal(err)
	}
	k, err := h.LinkByName(l.device())
	if err != nil || k.Attrs().Flags&net.FlagUp == 0 {
		t.Errorf("the macvlan is not up: %+v, %v", k, err)
	}
	if b, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + l.device() + "/arp_ignore"); err != nil || string(b) != "1\n" {
		t.Errorf("its arp_ignore is %q, %v; want 1", b, err)
	}
}

// TestVirtualMACTakenAway: a group that gives it up by a reload leaves no macvlan behind.
func TestVirtualMACTakenAway(t *testing.T) {
	w := newWire(t)
	g := priority(interopCases()[0], 150)
	g.VirtualMAC = true
	d := w.director(w.a, orders(g))
	address := func() string { return w.ip("-n", w.a, "-o", "addr", "show", "to", g.Addresses[0].Addr().String()) }
	w.eventually("the address is on the macvlan", starting, func() bool { return strings.Contains(address(), "vrrp4-51") })
	g.VirtualMAC = false
	o := orders(g)
	d.order(Command{Orders: &o})
	w.eventually("the address is on the interface itself", slack, func() bool {
		has := address()
		return strings.Contains(has, "eth0") && !strings.Contains(has, "vrrp4-51")
	})
	w.eventually("the macvlan is gone", slack, func() bool { return !strings.Contains(w.ip("-n", w.a, "link"), "vrrp4-51") })
}
