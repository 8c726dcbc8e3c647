package vrrp

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// link is a network interface as the groups on it see it.
type link struct {
	index     int
	name      string
	mac       net.HardwareAddr
	mtu       int  // 0: not known
	up        bool // administratively, and there is a carrier
	upSince   time.Time
	addresses []linkAddress

	vmac net.HardwareAddr // of the virtual router whose addresses these are; nil: the link's own serves
}

// device is the name of the interface that carries the virtual addresses: the
// link itself, or the macvlan with the virtual router's MAC address, named after
// the router's family and id and the parent's index, since two parents may have
// the same id; in base 36, since a name has at most 15 characters.
func (l link) device() string {
	if l.vmac == nil {
		return l.name
	}
	return fmt.Sprintf("vrrp%d-%d.%s", 2+2*int(l.vmac[4]), l.vmac[5], strconv.FormatInt(int64(l.index), 36))
}

// virtualMAC is the MAC address of a virtual router: "00-00-5E-00-01-{VRID}"
// for IPv4, "00-00-5E-00-02-{VRID}" for IPv6 (RFC 9568, section 7.3).
func virtualMAC(id uint8, v6 bool) net.HardwareAddr {
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 1, id}
	if v6 {
		mac[4] = 2
	}
	return mac
}

// linkAddress is an address on an interface.
type linkAddress struct {
	prefix    netip.Prefix // address and length
	mine      bool         // put there by a director (by the mark of Linux 5.18 and later)
	permanent bool         // without a lifetime
	unusable  bool         // duplicate address detection has not ended well yet
}

// links are the machine's interfaces by name. A table that was handed out is
// never changed.
type links map[string]link

// table is the interfaces as they were read, which began at a time.
type table struct {
	links links
	began time.Time
}

// rise notes in a new table since when each link is up: if it was in the table
// before, too, since then.
func (t table) rise(before links) {
	for name, l := range t.links {
		if was := before[name]; l.up {
			l.upSince = t.began
			if was.up && was.index == l.index {
				l.upSince = was.upSince
			}
			t.links[name] = l
		}
	}
}

// source returns the address that advertisements of a family are sent from:
// "the primary IPv4 address of the interface" (RFC 9568, section 5.1.1.1), which is the
// first one that moves with no virtual router, or the link-local IPv6 address
// (section 5.1.2.1).
func (l link) source(v6 bool, virtual func(netip.Addr) bool) netip.Addr {
	for _, a := range l.addresses {
		ip := a.prefix.Addr()
		switch {
		case a.unusable || a.mine || ip.Is6() != v6 || virtual(ip):
		case v6 && !ip.IsLinkLocalUnicast():
		default:
			return ip
		}
	}
	return netip.Addr{}
}

// own returns the first address that could be sent from if it were not virtual, and
// that nobody put up for a while.
func (l link) own(v6 bool) netip.Addr {
	passing := make(map[netip.Addr]bool)
	for _, a := range l.addresses {
		passing[a.prefix.Addr()] = !a.permanent
	}
	return l.source(v6, func(ip netip.Addr) bool { return passing[ip] })
}

// global6 returns the first IPv6 address that reaches beyond the link.
func (l link) global6(virtual func(netip.Addr) bool) netip.Addr {
	for _, a := range l.addresses {
		ip := a.prefix.Addr()
		if ip.Is6() && ip.IsGlobalUnicast() && !a.unusable && !a.mine && !virtual(ip) {
			return ip
		}
	}
	return netip.Addr{}
}

// covers tells whether an address that is not virtual already makes the link's
// route to a prefix.
func (l link) covers(p netip.Prefix, virtual func(netip.Addr) bool) bool {
	return slices.ContainsFunc(l.addresses, func(a linkAddress) bool {
		return !a.mine && !virtual(a.prefix.Addr()) && a.prefix.Masked() == p.Masked()
	})
}

// fall returns the table with one link down, and whether that was not known.
func (t table) fall(index int) (table, bool) {
	for name, l := range t.links {
		if l.index == index && l.up {
			l.up = false
			t.links = maps.Clone(t.links)
			t.links[name] = l
			return t, true
		}
	}
	return t, false
}

// prefixes are the link's addresses.
func (l link) prefixes() map[netip.Prefix]bool {
	set := make(map[netip.Prefix]bool)
	for _, a := range l.addresses {
		set[a.prefix] = true
	}
	return set
}
