//go:build integration

package vrrp

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestForget: who has not answered is forgotten, on the link alone, and nobody else.
func TestForget(t *testing.T) {
	h := emptyNamespace(t)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	links := make(map[string]link)
	for _, name := range []string{"front", "back"} {
		links[name] = addDummy(t, h, name)
		for ip, state := range map[string]int{
			"10.4.0.1": unix.NUD_INCOMPLETE, "10.4.0.2": unix.NUD_FAILED, "10.4.0.3": unix.NUD_STALE, "10.4.0.4": unix.NUD_PERMANENT,
			"fd00::1": unix.NUD_INCOMPLETE, "fd00::2": unix.NUD_FAILED, "fd00::3": unix.NUD_STALE,
		} {
			n := &netlink.Neigh{LinkIndex: links[name].index, State: state, IP: net.ParseIP(ip)}
			if state == unix.NUD_STALE || state == unix.NUD_PERMANENT {
				n.HardwareAddr = mac
			}
			if err := h.NeighAdd(n); err != nil {
				t.Fatalf("add %s in state %#x: %v", ip, state, err)
			}
		}
	}
	known := func(name string) (all []string) {
		list, err := h.NeighList(links[name].index, unix.AF_UNSPEC)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if ip, _ := netip.AddrFromSlice(n.IP); !ip.IsMulticast() {
				all = append(all, ip.Unmap().String())
			}
		}
		slices.Sort(all)
		return all
	}
	before := known("back")
	if len(before) != 7 || len(known("front")) != 7 {
		t.Fatalf("%v and %v", before, known("front"))
	}
	if err := newRtnetlink().forget(links["front"]); err != nil {
		t.Fatal(err)
	}
	if is, want := known("front"), []string{"10.4.0.3", "10.4.0.4", "fd00::3"}; !slices.Equal(is, want) {
		t.Errorf("known are %v, want %v", is, want)
	}
	if is := known("back"); !slices.Equal(is, before) {
		t.Errorf("on another link %v are known, want %v", is, before)
	}
}
