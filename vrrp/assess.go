package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// assessment is what the orders, the interfaces and the tracks make of a group.
type assessment struct {
	group  Group
	team   string // its sync group
	link   link
	self   netip.Addr
	params params
	fault  fault
	own    netip.Addr // all that the machine has on the interface, if it is virtual, too: not to be removed
	tracks []TrackStatus
}

// assess judges every group. It is pure: the same orders and interfaces give
// the same judgement. tracked is how the tracks count; orphaned is why no engine
// watches the groups, or empty.
func assess(o Orders, ls links, tracked map[trackKey]counted, refused map[tapKey]string, orphaned string) []assessment {
	virtual := virtuals(o.Config)
	teams := make(map[string]string)
	for _, s := range o.Config.SyncGroups {
		for _, g := range s.Groups {
			teams[g] = s.Name
		}
	}
	used := make(map[identity]string)
	list := make([]assessment, 0, len(o.Config.Groups))
	for _, g := range o.Config.Groups {
		a := assessment{group: g, team: teams[g.Name]}
		if err := g.check(); err != nil {
			a.fault = fault{reason: err.Error(), hard: true, invalid: true}
			list = append(list, a)
			continue
		}
		if other := used[g.identity()]; other != "" {
			a.fault = fault{reason: fmt.Sprintf("router id %d on %s is used by group %s", g.RouterID, g.Interface, other), hard: true, invalid: true}
			list = append(list, a)
			continue
		}
		used[g.identity()] = g.Name
		a.link, a.fault = g.place(ls)
		if own := a.link.own(g.v6()); own.IsValid() && virtual(own) && !a.link.source(g.v6(), virtual).IsValid() {
			a.own = own
		}
		if why := refused[tapKey{a.link.index, g.v6()}]; why != "" && a.fault.reason == "" {
			a.fault = fault{reason: why, hard: true}
		}
		if a.fault.reason == "" {
			a.self, a.fault = g.self(a.link, virtual)
			if a.fault.reason != "" && a.own.IsValid() {
				a.fault.reason = fmt.Sprintf("%s is virtual, and all that interface %s has to send from: only the owner, of priority 255, may send from it", a.own, g.Interface)
			}
		}
		if a.fault.reason == "" && orphaned != "" {
			a.fault = fault{reason: orphaned}
		}
		a.params = params{
			version: uint8(g.Version), priority: g.Priority, interval: g.Interval,
			preempt: g.Preempt, preemptDelay: g.PreemptDelay, self: a.self,
			downAdverts: g.DownAdverts,
		}
		list = append(list, a)
	}
	applyTracks(list, tracked)
	shareFaults(list)
	return list
}

// identity is what makes a group the same virtual router as before: with
// another one it is a new router, and the old one leaves.
type identity struct {
	ifname  string
	id      uint8
	version int
	v6      bool
}

func (g Group) identity() identity {
	return identity{g.Interface, g.RouterID, g.Version, g.v6()}
}

// v6 tells the group's family.
func (g Group) v6() bool {
	return len(g.Addresses) > 0 && g.Addresses[0].Addr().Is6()
}

// held are the addresses that the master has on its interface.
func (g Group) held() []netip.Prefix {
	if len(g.Excluded) == 0 {
		return g.Addresses
	}
	return slices.Concat(g.Addresses, g.Excluded)
}

// check refuses what cannot be put on the wire. Configuration has been checked
// before; this keeps a wrong order from becoming a wrong packet.
func (g Group) check() error {
	limit := maxInterval3
	if g.Version == 2 {
		limit = maxInterval2
	}
	switch {
	case g.Version != 2 && g.Version != 3:
		return fmt.Errorf("version %d is neither 2 nor 3", g.Version)
	case g.RouterID == 0:
		return errors.New("router id 0 is not allowed")
	case g.Priority == 0:
		return errors.New("priority 0 is not allowed")
	case len(g.Addresses) == 0:
		return errors.New("no addresses")
	case len(g.Addresses) > 255:
		return fmt.Errorf("%d addresses are more than an advertisement holds (255)", len(g.Addresses))
	case slices.ContainsFunc(g.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() != g.v6() }):
		return errors.New("IPv4 and IPv6 addresses in one group")
	case g.Version == 2 && g.v6():
		return errors.New("version 2 has no IPv6")
	case g.Password != "" && g.Version != 2:
		return errors.New("only version 2 has a password")
	case len(g.Password) > passwordLen:
		return fmt.Errorf("password is longer than %d bytes", passwordLen)
	case g.Unicast != nil && len(g.Unicast.Peers) == 0:
		return errors.New("unicast without peers")
	case g.Unicast != nil && slices.ContainsFunc(g.Unicast.Peers, func(ip netip.Addr) bool { return ip.Is6() != g.v6() }):
		return errors.New("unicast peers of another family than the addresses")
	case g.Version == 2 && (g.Interval%time.Second != 0 || g.Interval < time.Second):
		return fmt.Errorf("version 2 has no interval of %s", g.Interval)
	case g.Interval%(10*time.Millisecond) != 0 || g.Interval <= 0:
		return fmt.Errorf("version 3 has no interval of %s", g.Interval)
	case g.Interval > limit:
		return fmt.Errorf("interval %s is above %s", g.Interval, limit)
	case g.VirtualMAC && g.Unicast != nil:
		return errors.New("a virtual MAC address needs multicast")
	case g.HMAC != nil && g.Version != 3:
		return errors.New("only version 3 is signed")
	case g.HMAC != nil:
		return g.HMAC.check()
	}
	return nil
}

// packetSize is the length of its advertisements with their IP header.
func (g Group) packetSize() int {
	size := 20 + headerLen + 4*len(g.Addresses)
	if g.v6() {
		size = 40 + headerLen + 16*len(g.Addresses)
	}
	if g.Version == 2 {
		size += passwordLen
	}
	if g.HMAC != nil && g.HMAC.Mode != HMACReceiveOnly {
		size += trailerLen
	}
	return size
}

// place finds the group's interface.
func (g Group) place(ls links) (link, fault) {
	l, ok := ls[g.Interface]
	switch {
	case !ok:
		return l, fault{reason: fmt.Sprintf("interface %s is missing", g.Interface), hard: true}
	case !l.up:
		return l, fault{reason: fmt.Sprintf("interface %s is down", g.Interface), hard: true}
	case g.VirtualMAC && l.mtu > 0 && g.packetSize() > l.mtu:
		// The kernel sends an IP packet in pieces, but not a frame.
		return l, fault{reason: fmt.Sprintf("an advertisement of %d addresses has %d bytes, above the MTU of interface %s, %d: with virtual_mac it cannot be sent",
			len(g.Addresses), g.packetSize(), g.Interface, l.mtu), hard: true}
	}
	return l, fault{}
}

// self finds the address that the group sends from.
func (g Group) self(l link, virtual func(netip.Addr) bool) (netip.Addr, fault) {
	if u := g.Unicast; u != nil && u.Source.IsValid() {
		if !slices.ContainsFunc(l.addresses, func(a linkAddress) bool { return a.prefix.Addr() == u.Source && !a.unusable }) {
			return netip.Addr{}, fault{reason: fmt.Sprintf("interface %s has no address %s to send from", g.Interface, u.Source), hard: true}
		}
		return u.Source, fault{}
	}
	if u := g.Unicast; u != nil && g.v6() && !u.Peers[0].IsLinkLocalUnicast() {
		if ip := l.global6(virtual); ip.IsValid() {
			return ip, fault{}
		}
	}
	ip := l.source(g.v6(), virtual)
	if !ip.IsValid() && g.Priority == owner {
		ip = l.source(g.v6(), func(netip.Addr) bool { return false })
	}
	if !ip.IsValid() {
		return ip, fault{reason: fmt.Sprintf("interface %s has no %s address to send from", g.Interface, familyName(g.v6())), hard: true}
	}
	return ip, fault{}
}

// shareFaults gives a sync group's fault to all of its members.
func shareFaults(list []assessment) {
	first := make(map[string]*assessment)
	for i := range list {
		a := &list[i]
		if a.team == "" || a.fault.reason == "" {
			continue
		}
		if f := first[a.team]; f == nil || a.fault.hard && !f.fault.hard {
			first[a.team] = a
		}
	}
	for i := range list {
		a := &list[i]
		if f := first[a.team]; a.team != "" && f != nil && a.fault.reason == "" {
			a.fault = fault{
				reason: fmt.Sprintf("sync partner %s: %s", f.group.Name, f.fault.reason),
				hard:   f.fault.hard,
			}
		}
	}
}

// virtuals tells which addresses move with a group: no advertisement is sent
// from them. The owner's are its own.
func virtuals(c Config) func(netip.Addr) bool {
	set := make(map[netip.Addr]bool)
	for _, g := range c.Groups {
		for _, p := range g.held() {
			set[p.Addr()] = true
		}
	}
	return func(ip netip.Addr) bool { return set[ip] }
}

func familyName(v6 bool) string {
	if v6 {
		return "link-local IPv6"
	}
	return "IPv4"
}
