package vrrp

import (
	"bytes"
	"cmp"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Stranger is somebody who says, by ARP or neighbour discovery, that an address of
// a group is his, while this router is MASTER and its peers are silent: a machine
// that was given the address by mistake, a real server that answers for it, or a
// router that does not hear us.
type Stranger struct {
	Now   bool // said within the last minute, and not only for a moment
	Since time.Time
	Last  time.Time // zero: never
	Addr  netip.Addr
	MAC   string
}

const (
	// strangerGrace is how long a stranger must insist to be one. Who only
	// wanted to know whether the address is free has learnt by then that it is not.
	strangerGrace = time.Second
	// strangerMemory is how long one is remembered who says nothing more.
	strangerMemory = time.Minute
	// settling is how much longer than a lease it takes until nobody's claim can
	// be that of a former master: its kernel counts leases in whole seconds and
	// may answer for an address until its lease has run out.
	settling = 2 * time.Second
)

// suspect notes a claim to an address of which this router is master, and has it
// asked for again (see ask.go): only who insists is told of.
func (l *loop) suspect(now time.Time, c claim) {
	if l.own(c.mac) {
		return
	}
	for _, m := range l.core.members {
		switch {
		case m.link.index != c.index || !m.alone(now) || bytes.Equal(c.mac, m.link.vmac):
			continue
		case !slices.ContainsFunc(m.group.held(), func(p netip.Prefix) bool { return p.Addr() == c.addr }):
			continue
		}
		s := &m.stranger
		if s.Last.Before(m.since) || now.Sub(s.Last) > strangerMemory {
			s.Since = now
		}
		s.Last, s.Addr, s.MAC = now, c.addr, c.mac.String()
		if m.asked.addr != c.addr || now.Sub(m.asked.at) > strangerMemory/4 {
			m.asked = suspicion{c.addr, now}
			l.wishing = true
		}
	}
}

// own tells whether a hardware address is this machine's: another interface on
// the same wire answers for all its addresses.
func (l *loop) own(mac net.HardwareAddr) bool {
	for _, k := range l.links {
		if bytes.Equal(mac, k.mac) {
			return true
		}
	}
	return false
}

// alone tells whether the member has been master for so long that no former
// master can hold the addresses, unless it does not know that it is one no more.
func (m *member) alone(now time.Time) bool {
	return m.established(now) && now.Sub(m.since) > cmp.Or(m.group.Lease, defaultLease)+settling
}

// strangerNow tells whether somebody else claims an address and insists.
func (m *member) strangerNow(now time.Time) bool {
	s := m.stranger
	return m.serving() && !s.Last.Before(m.since) && !s.Last.IsZero() &&
		now.Sub(s.Last) <= strangerMemory && s.Last.Sub(s.Since) >= strangerGrace
}
