//go:build integration

package vrrp

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestPrepare: what a takeover needs is open before it comes, and nothing changes.
func TestPrepare(t *testing.T) {
	h, r := emptyNamespace(t), newRtnetlink()
	l := addDummy(t, h, "front")
	count := func() int {
		list, err := h.AddrList(nil, netlink.FAMILY_ALL)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	for _, ip := range []netip.Addr{ours4, ours6} {
		if err := r.prepare(l, ip); err != nil {
			t.Errorf("prepare for %v: %v", ip, err)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d addresses, want %d as before", after, before)
	}
	open := openSockets(t)
	for _, ip := range []netip.Addr{ours4, ours6} {
		if err := r.hold(holding{link: l, prefix: netip.PrefixFrom(ip, ip.BitLen()), lease: defaultLease}); err != nil {
			t.Errorf("hold %v: %v", ip, err)
		}
		if err := r.announce(l, ip); err != nil {
			t.Errorf("announce %v: %v", ip, err)
		}
	}
	if held := count(); held != before+2 {
		t.Errorf("%d addresses after the takeover, want %d", held, before+2)
	}
	for s := range openSockets(t) {
		if !open[s] {
			t.Errorf("the takeover has opened %s", s)
		}
	}
}

// openSockets are those of this process; others than the test's may close meanwhile.
func openSockets(t *testing.T) map[string]bool {
	t.Helper()
	open := make(map[string]bool)
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range list {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
			open[to] = true
		}
	}
	return open
}
