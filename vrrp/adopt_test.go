package vrrp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAdoptAlike gives two keepers the same wishes, one of which compares all its
// leases with them each time, as if the addresses had changed: both end alike.
func TestAdoptAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	members := []*member{{name: "a"}, {name: "b"}, {name: "c"}}
	lists := [][]netip.Prefix{{prefix("10.0.0.1/24"), prefix("10.0.0.2/24")}, {prefix("10.0.0.3/24")}}
	short, long := newKeeper(nopLog(), nil), newKeeper(nopLog(), nil)
	same, now := 0, time.Now()
	for turn := range 2000 {
		var ws []wish
		for i, m := range members {
			if rng.IntN(10) > 0 {
				ws = append(ws, wish{
					member: m, link: link{index: 1 + i, up: rng.IntN(2) == 0}, addresses: lists[rng.IntN(10)/9], lease: time.Duration(rng.IntN(2)),
					intent: intent(rng.IntN(3)), announce: uint64(rng.IntN(2)), doubt: uint64(rng.IntN(2)), dropAt: now,
				})
			}
		}
		if short.alike(ws) {
			same++
		}
		now = now.Add(time.Second)
		short.adopt(ws, now)
		long.virtual = nil
		long.adopt(ws, now)
		if diff := cmp.Diff(leasesOf(long), leasesOf(short)); diff != "" {
			t.Fatalf("turn %d (-long +short):\n%s", turn, diff)
		}
		for i := range short.leases {
			held, maybe := rng.IntN(2) == 0, rng.IntN(2) == 0
			for _, k := range []*keeper{short, long} {
				l := k.leases[i]
				l.held, l.maybe, l.wait = held, maybe, time.Second
			}
		}
	}
	if same < 500 || same > 1500 {
		t.Errorf("%d of 2000 wishes were about the same addresses, want some and not all", same)
	}
}

// leasesOf is all that a keeper knows of its leases.
func leasesOf(k *keeper) (list []string) {
	for _, l := range k.leases {
		list = append(list, fmt.Sprintf("%+v", *l))
	}
	return list
}

// TestAdoptIsCheap: a change of state of many routers at once costs no garbage.
func TestAdoptIsCheap(t *testing.T) {
	var ws []wish
	for i, g := range many(250) {
		ws = append(ws, wish{member: newMember(g), link: link{index: i + 1}, addresses: g.held(), intent: keep})
	}
	k := newKeeper(nopLog(), nil)
	k.adopt(ws, time.Now())
	if n := testing.AllocsPerRun(10, func() { k.adopt(ws, time.Now()) }); n > 0 {
		t.Errorf("%v allocations for the same addresses once more, want 0", n)
	}
}
