package vrrp

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"
)

// carryOut does what the core has decided, and tells of it when it is done: the words
// cost more time than the deeds. The keeper is told first, who begins on the other
// processor while the advertisements are sent.
func (l *loop) carryOut(now time.Time) {
	effects := l.core.take()
	for _, e := range effects {
		m := e.member
		switch e.kind {
		case effHold:
			m.intent = keep
			m.announce++
			l.wishing = true
		case effDrop:
			m.intent, m.dropAt = letGo, now.Add(e.after)
			l.wishing = true
		case effAnnounce:
			m.announce++
			l.wishing = true
		}
	}
	wished := l.wish(now)
	for _, e := range effects {
		if e.kind == effSend {
			e.member.lateness = max(e.member.lateness, e.late)
			l.send(e.member, e.priority)
		}
	}
	if wished {
		runtime.Gosched() // to the keeper, if it has not begun yet
	}
	for _, e := range effects {
		switch e.kind {
		case effTransition:
			l.transition(e.member, e.transition)
			l.tellSoon(now)
		case effProblem:
			l.problem("group " + e.member.name + ": " + e.problem)
		}
	}
}

// send sends an advertisement of a member.
func (l *loop) send(m *member, priority uint8) {
	if m.tap == nil {
		return
	}
	m.advert.version, m.advert.id = uint8(m.group.Version), m.group.RouterID
	m.advert.priority, m.advert.interval = priority, m.group.Interval
	m.advert.addresses = m.advert.addresses[:0]
	for i, p := range m.group.Addresses {
		m.advert.addresses = append(m.advert.addresses, p.Addr())
		if list := m.advert.addresses; i > 0 && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && !list[0].IsLinkLocalUnicast() {
			// "The first address MUST be the IPv6 link-local address
			// associated with the Virtual Router" (RFC 9568, section 5.2.9).
			list[0], list[i] = list[i], list[0]
		}
	}
	m.advert.auth, m.advert.password = authNone, [passwordLen]byte{}
	if m.group.Password != "" {
		m.advert.auth = authPassword
		copy(m.advert.password[:], m.group.Password)
	}
	var err error
	switch u := m.group.Unicast; {
	case u != nil:
		for _, peer := range u.Peers {
			if e := l.sendTo(m, peer, int(cmp.Or(u.TTL, 255))); e != nil {
				err = e
			}
		}
	case m.tap.key.v6:
		err = l.sendTo(m, group6, 255)
	default:
		err = l.sendTo(m, group4, 255)
	}
	if err != nil {
		m.sendErrors++
		if m.sendErrors == 1 || m.sendErrors%1000 == 0 {
			l.log.Warn("advertisement not sent", zap.String("group", m.name), zap.Error(err))
		}
		return
	}
	m.sent++
	if priority == 0 {
		m.zeroSent++
	}
}

// sendTo sends the advertisement that m.advert holds.
func (l *loop) sendTo(m *member, dst netip.Addr, ttl int) error {
	l.payload = m.advert.appendTo(l.payload[:0], m.p.self, dst)
	if h := m.group.HMAC; h != nil && h.Mode != HMACReceiveOnly {
		l.payload = m.sign(h, l.payload, dst, time.Now())
	}
	return m.tap.port.send(l.payload, envelope{src: m.p.self, dst: dst, ttl: ttl, mac: m.link.vmac})
}

// sign puts the trailer behind a message. In IPv6 the checksum covers it.
func (m *member) sign(h *HMAC, b []byte, dst netip.Addr, now time.Time) []byte {
	key, ok := h.key(h.Active)
	if !ok {
		return b
	}
	b = key.appendTrailer(b, 0, m.p.self, m.signed.next(now))
	if dst.Is6() {
		binary.BigEndian.PutUint16(b[checksumAt:], 0)
		binary.BigEndian.PutUint16(b[checksumAt:], checksum(b, pseudoHeader(m.p.self, dst, len(b))))
	}
	return b
}

// receive judges a packet and hands what it says to its group.
func (l *loop) receive(now time.Time, t *tap, f *frame) {
	// A packet whose router id cannot be read, or is of no group here, is
	// nobody's: there is nothing to count it for.
	if t.members != nil && f.n >= 2 {
		for _, m := range t.members[f.buf[1]] {
			l.admit(now, m, f)
		}
	}
}

// admit takes or drops a packet for a member, in the order of RFC 9568,
// section 7.1.
func (l *loop) admit(now time.Time, m *member, f *frame) {
	why := l.judge(now, m, f)
	if why != taken {
		m.dropped[why]++
		return
	}
	a := &l.parsed
	m.received++
	m.lastHeard = now
	if a.priority == 0 {
		m.zeroReceived++
	}
	if !m.sameAddresses(a.addresses) {
		// "MAY verify that the IPvX Addr Count and the list of IPvX
		// address(es) match ... SHOULD log": two routers whose lists are
		// changed one after the other must not both be master meanwhile.
		m.mismatched++
	}
	said := heard{priority: a.priority, interval: a.interval, src: f.src}
	l.witness(now, m, said)
	l.core.receive(now, f.at, m, said)
}

// judge says why a packet is not for a member, if it is not.
func (l *loop) judge(now time.Time, m *member, f *frame) drop {
	// "It MUST verify that the IPv4 TTL / IPv6 Hop Limit is 255." Peers that
	// are configured to be further away may have less.
	ttl := 255
	if u := m.group.Unicast; u != nil {
		ttl = int(cmp.Or(u.MinTTL, 255))
	}
	switch {
	case f.ttl < ttl:
		return dropTTL
	case f.src == m.p.self:
		return dropOwn
	case f.dst.IsMulticast() != (m.group.Unicast == nil):
		// The sender is configured otherwise and does not hear us.
		return dropDestination
	case m.group.Unicast != nil && !slices.Contains(m.group.Unicast.Peers, f.src):
		return dropSource
	}
	a := &l.parsed
	if why := a.parse(f.buf[:f.n], f.src, f.dst); why != taken {
		return why
	}
	switch {
	case int(a.version) != m.group.Version:
		return dropVersion
	case a.version == 2 && !m.authentic(a):
		return dropAuth
	case a.version == 2 && a.interval != m.group.Interval:
		// RFC 3768, section 7.1: "MUST verify that the Adver Interval in the
		// packet is the same as the locally configured".
		return dropInterval
	case a.interval <= 0:
		return dropInterval
	}
	if h := m.group.HMAC; h != nil {
		window := cmp.Or(h.Window, max(3*m.group.Interval, 5*time.Second))
		return m.signed.verify(h, window, now, f.src, f.buf[:a.length], f.buf[a.length:f.n])
	}
	return taken
}

// authentic judges the authentication of version 2, which keeps mistakes out
// and nobody else: the password travels in the clear.
func (m *member) authentic(a *advert) bool {
	if m.group.Password == "" {
		return a.auth == authNone
	}
	var want [passwordLen]byte
	copy(want[:], m.group.Password)
	return a.auth == authPassword && a.password == want
}

// sameAddresses compares an advertised list with the group's, in any order.
func (m *member) sameAddresses(list []netip.Addr) bool {
	if len(list) != len(m.group.Addresses) {
		return false
	}
	for i, p := range m.group.Addresses {
		// Peers send the list in the order of their configuration, as a rule ours.
		if list[i] == p.Addr() {
			continue
		}
		found := false
		for _, ip := range list {
			found = found || ip == p.Addr()
		}
		if !found {
			return false
		}
	}
	return true
}
