//go:build integration

package vrrp

import (
	"testing"

	"github.com/vishvananda/netlink"
)

// TestAnnounceAnew: an interface that is made anew under its name needs no socket
// beside that of the one before.
func TestAnnounceAnew(t *testing.T) {
	h, r := emptyNamespace(t), newRtnetlink()
	for range 3 {
		l := addDummy(t, h, "front")
		for range 2 {
			if err := r.announce(l, ours4); err != nil {
				t.Error(err)
			}
			if err := r.announce(l, ours6); err != nil {
				t.Error(err)
			}
		}
		if len(r.frames) != 1 || r.frames["front"].index != l.index {
			t.Errorf("sockets are %v, want one on interface %d", r.frames, l.index)
		}
		if err := h.LinkDel(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "front", Index: l.index}}); err != nil {
			t.Fatal(err)
		}
	}
}
