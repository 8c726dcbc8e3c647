package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// judged renders assessments: "front 150" or "front FAULT hard: interface eth0 is down".
func judged(list []assessment) string {
	var lines []string
	for _, a := range list {
		switch {
		case a.fault.reason == "":
			lines = append(lines, fmt.Sprintf("%s %d", a.group.Name, a.params.priority))
		case a.fault.hard:
			lines = append(lines, a.group.Name+" FAULT hard: "+a.fault.reason)
		default:
			lines = append(lines, a.group.Name+" FAULT: "+a.fault.reason)
		}
	}
	return strings.Join(lines, "\n")
}

func TestAssess(t *testing.T) {
	ip := func(s string) linkAddress { return linkAddress{prefix: netip.MustParsePrefix(s)} }
	table := links{
		"eth0": {index: 2, name: "eth0", up: true, addresses: []linkAddress{ip("10.0.0.1/24"), ip("fe80::1/64")}},
		"eth1": {index: 3, name: "eth1", up: true, addresses: []linkAddress{ip("10.1.0.1/24")}},
		"eth2": {index: 4, name: "eth2", addresses: []linkAddress{ip("10.2.0.1/24")}},
		"eth3": {index: 5, name: "eth3", up: true, addresses: []linkAddress{ip("10.0.0.100/24"), {prefix: netip.MustParsePrefix("10.3.0.9/24"), mine: true}}},
		"eth5": {index: 7, name: "eth5", mtu: 1500, up: true, addresses: []linkAddress{ip("fe80::5/64"), {prefix: netip.MustParsePrefix("10.0.0.100/24"), permanent: true}}},
		"eth4": {index: 6, name: "eth4", up: true, addresses: []linkAddress{{prefix: netip.MustParsePrefix("fe80::4/64"), unusable: true}, ip("2001:db8::4/64")}},
	}
	inside := front(100)
	inside.Name, inside.Interface, inside.RouterID = "inside", "eth1", 52
	inside.Addresses = []netip.Prefix{netip.MustParsePrefix("10.1.0.100/24")}
	on := func(ifname string, g Group) Group { g.Interface = ifname; return g }
	tracked := func(g Group, tracks ...Track) Group { g.Tracks = tracks; return g }
	up := TrackState{Group: "front", Kind: "script", Name: "uplink", Up: true}
	down := TrackState{Group: "front", Kind: "script", Name: "uplink", Reason: "no route"}
	script := func(weight int) Track { return Track{Kind: "script", Name: "uplink", Weight: weight} }
	load := func(weight int) Track { return Track{Kind: "file", Name: "load", Weight: weight, Number: true} }
	holds := func(value int) TrackState {
		return TrackState{Group: "front", Kind: "file", Name: "load", Up: true, Value: value}
	}
	six := front(150)
	six.Addresses = []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}
	crowd := func(n int) Group { // on an interface of its own
		g := on("eth5", six)
		g.VirtualMAC = true
		for i := range n - 1 {
			g.Addresses = append(g.Addresses, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 15: byte(i)}), 64))
		}
		return g
	}
	both := []SyncGroup{{Name: "gateway", Groups: []string{"front", "inside"}}}

	tests := []struct {
		name     string
		groups   []Group
		sync     []SyncGroup
		tracks   []TrackState
		refused  map[tapKey]string
		orphaned string
		want     string
	}{
		{name: "nothing wrong", groups: []Group{front(150), inside}, want: "front 150\ninside 100"},
		{name: "missing interface", groups: []Group{on("eth9", front(150))}, want: "front FAULT hard: interface eth9 is missing"},
		{name: "interface down", groups: []Group{on("eth2", front(150))}, want: "front FAULT hard: interface eth2 is down"},
		{name: "only virtual addresses", groups: []Group{on("eth3", front(150))}, want: "front FAULT hard: interface eth3 has no IPv4 address to send from"},
		{name: "only a virtual address, which is the machine's own", groups: []Group{on("eth5", front(150))},
			want: "front FAULT hard: 10.0.0.100 is virtual, and all that interface eth5 has to send from: only the owner, of priority 255, may send from it"},
		{name: "as many addresses as a frame holds", groups: []Group{crowd(90)}, want: "front 150"},
		{name: "more addresses than a frame holds", groups: []Group{crowd(91)},
			want: "front FAULT hard: an advertisement of 91 addresses has 1504 bytes, above the MTU of interface eth5, 1500: with virtual_mac it cannot be sent"},
		{name: "the owner's are its own", groups: []Group{on("eth3", front(255))}, want: "front 255"},
		{name: "link-local address not usable yet", groups: []Group{on("eth4", six)}, want: "front FAULT hard: interface eth4 has no link-local IPv6 address to send from"},
		{name: "socket refused", groups: []Group{front(150)}, refused: map[tapKey]string{{2, false}: "no permission"}, want: "front FAULT hard: no permission"},
		{name: "socket of the other family refused", groups: []Group{front(150)}, refused: map[tapKey]string{{2, true}: "no permission"}, want: "front 150"},
		{name: "no engine", groups: []Group{front(150), on("eth2", inside)}, orphaned: "no engine for 10s",
			want: "front FAULT: no engine for 10s\ninside FAULT hard: interface eth2 is down"},
		{name: "same router id in the other family", groups: []Group{front(150), func() Group { g := six; g.Name = "six"; return g }()}, want: "front 150\nsix 150"},

		{name: "track up, no weight", groups: []Group{tracked(front(150), script(0))}, tracks: []TrackState{up}, want: "front 150"},
		{name: "track down, no weight", groups: []Group{tracked(front(150), script(0))}, tracks: []TrackState{down}, want: "front FAULT: script uplink no route"},
		{name: "track unknown, no weight", groups: []Group{tracked(front(150), script(0))}, want: "front FAULT: script uplink has no verdict yet"},
		{name: "track of another group", groups: []Group{tracked(front(150), script(0))},
			tracks: []TrackState{{Group: "inside", Kind: "script", Name: "uplink", Up: true}}, want: "front FAULT: script uplink has no verdict yet"},
		{name: "track down, negative weight", groups: []Group{tracked(front(150), script(-60))}, tracks: []TrackState{down}, want: "front 90"},
		{name: "track up, negative weight", groups: []Group{tracked(front(150), script(-60))}, tracks: []TrackState{up}, want: "front 150"},
		{name: "track up, positive weight", groups: []Group{tracked(front(150), script(20))}, tracks: []TrackState{up}, want: "front 170"},
		{name: "track down, positive weight", groups: []Group{tracked(front(150), script(20))}, tracks: []TrackState{down}, want: "front 150"},
		{name: "track unknown, weight", groups: []Group{tracked(front(150), script(-60))}, want: "front 150"},
		{name: "clamped below", groups: []Group{tracked(front(50), script(-254))}, tracks: []TrackState{down}, want: "front 1"},
		{name: "clamped above", groups: []Group{tracked(front(250), script(20))}, tracks: []TrackState{up}, want: "front 254"},
		{name: "the owner's priority stays", groups: []Group{tracked(front(255), script(-60))}, tracks: []TrackState{down}, want: "front 255"},
		{name: "several tracks", groups: []Group{tracked(front(150), script(-60), Track{Kind: "interface", Name: "eth2", Weight: -7})},
			tracks: []TrackState{down}, want: "front 83"},
		{name: "tracked interface down", groups: []Group{tracked(front(150), Track{Kind: "interface", Name: "eth2"})}, want: "front FAULT: interface eth2 is down"},
		{name: "tracked interface missing", groups: []Group{tracked(front(150), Track{Kind: "interface", Name: "eth9"})}, want: "front FAULT: interface eth9 is missing"},
		{name: "tracked interface up", groups: []Group{tracked(front(150), Track{Kind: "interface", Name: "eth1"})}, want: "front 150"},

		{name: "number", groups: []Group{tracked(front(150), load(-2))}, tracks: []TrackState{holds(7)}, want: "front 136"},
		{name: "negative number", groups: []Group{tracked(front(150), load(-2))}, tracks: []TrackState{holds(-7)}, want: "front 164"},
		{name: "number, no weight", groups: []Group{tracked(front(150), load(0))}, tracks: []TrackState{holds(0)}, want: "front 150"},
		{name: "number, no weight, not 0", groups: []Group{tracked(front(150), load(0))}, tracks: []TrackState{holds(-1)}, want: "front FAULT: file load holds -1"},
		{name: "number, as low as FAULT", groups: []Group{tracked(front(150), load(-1))}, tracks: []TrackState{holds(254)}, want: "front FAULT: file load holds 254"},
		{name: "number, clamped below", groups: []Group{tracked(front(50), load(-1))}, tracks: []TrackState{holds(253)}, want: "front 1"},
		{name: "number, clamped above", groups: []Group{tracked(front(50), load(254))}, tracks: []TrackState{holds(1 << 40)}, want: "front 254"},
		{name: "number, two of them", groups: []Group{tracked(front(50), load(1), Track{Kind: "interface", Name: "eth2", Weight: -9})}, tracks: []TrackState{holds(1 << 40)}, want: "front 254"},
		{name: "no number", groups: []Group{tracked(front(150), load(-1))}, tracks: []TrackState{{Group: "front", Kind: "file", Name: "load", Value: 9, Reason: "has none"}}, want: "front 150"},
		{name: "no number, no weight", groups: []Group{tracked(front(150), load(0))}, tracks: []TrackState{{Group: "front", Kind: "file", Name: "load", Reason: "has none"}},
			want: "front FAULT: file load has none"},
		{name: "number not known", groups: []Group{tracked(front(150), load(-1))}, want: "front 150"},

		{name: "a weight counts for the whole sync group", groups: []Group{tracked(front(150), script(-60)), inside}, sync: both,
			tracks: []TrackState{down}, want: "front 90\ninside 40"},
		{name: "and once", groups: []Group{tracked(front(150), script(-60)), tracked(inside, script(-60))}, sync: both,
			tracks: []TrackState{down, {Group: "inside", Kind: "script", Name: "uplink"}}, want: "front 90\ninside 40"},
		{name: "with other delays, too", groups: []Group{tracked(front(150), script(-60)), tracked(inside, Track{Kind: "script", Name: "uplink", Weight: -60, DownDelay: time.Second})},
			sync: both, tracks: []TrackState{down, {Group: "inside", Kind: "script", Name: "uplink"}}, want: "front 90\ninside 40"},
		{name: "and not by who knows nothing", groups: []Group{tracked(front(150), script(-60)), tracked(inside, script(-60))}, sync: both,
			tracks: []TrackState{{Group: "inside", Kind: "script", Name: "uplink"}}, want: "front 90\ninside 40"},
		{name: "a fault is the whole sync group's", groups: []Group{on("eth2", front(150)), inside}, sync: both,
			want: "front FAULT hard: interface eth2 is down\ninside FAULT hard: sync partner front: interface eth2 is down"},
		{name: "the hard one of two", groups: []Group{tracked(front(150), script(0)), on("eth2", inside)}, sync: both,
			tracks: []TrackState{down}, want: "front FAULT: script uplink no route\ninside FAULT hard: interface eth2 is down"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Orders{Config: Config{Groups: test.groups, SyncGroups: test.sync}, Tracks: test.tracks}
			tracked, _ := count(time.Time{}, nil, o, table)
			if diff := cmp.Diff(test.want, judged(assess(o, table, tracked, test.refused, test.orphaned))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeeperOrder picks the most urgent chore: what is due before what is not,
// announcements before additions before removals before renewals, unless a lease
// is about to end.
func TestKeeperOrder(t *testing.T) {
	now := time.Now()
	m := newMember(front(100))
	at := func(do chore, d time.Duration) *lease {
		l := &lease{w: wish{member: m, intent: keep, lease: 10 * time.Second}, maybe: true, dueAt: now.Add(d)}
		switch do {
		case choreAnnounce:
			l.held, l.began, l.dueAt = true, now.Add(d), now.Add(time.Hour)
		case choreDrop:
			l.w.intent = letGo
		case choreRenew:
			l.held = true
			l.w.how.Times = []time.Duration{}
		}
		return l
	}
	tests := []struct {
		name   string
		leases []*lease
		want   []chore
		next   time.Duration
	}{
		{"the most urgent first", []*lease{at(choreRenew, 0), at(choreDrop, 0), at(choreAdd, 0), at(choreAnnounce, 0)},
			[]chore{choreAnnounce, choreAdd, choreDrop, choreRenew}, time.Hour},
		{"a renewal that is late waits", []*lease{at(choreRenew, -3*time.Second), at(choreAnnounce, 0)}, []chore{choreAnnounce, choreRenew}, time.Hour},
		{"a lease about to end waits for nothing", []*lease{at(choreAnnounce, 0), at(choreAdd, 0), at(choreRenew, -4*time.Second)},
			[]chore{choreRenew, choreAnnounce, choreAdd}, time.Hour},
		{"what is due, and when the next thing will be", []*lease{at(choreAnnounce, 2*time.Second), at(choreRenew, -time.Second), at(choreRenew, time.Second)},
			[]chore{choreRenew}, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKeeper(nopLog(), nil)
			k.leases = test.leases
			due, next := k.agenda(now)
			var got []chore
			for _, j := range due {
				got = append(got, j.do)
			}
			if !slices.Equal(got, test.want) || next.Sub(now) != test.next {
				t.Errorf("chores %d and the next in %s, want %d and %s", got, next.Sub(now), test.want, test.next)
			}
		})
	}
}
