package vrrp

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// Where the fields of an advertisement stand (RFC 9568, section 5.1; RFC 3768,
// section 5.1: only the fifth and sixth bytes differ).
const (
	typeAdvertisement = 1
	headerLen         = 8
	checksumAt        = 6
	passwordLen       = 8 // authentication data at the end of version 2
	protocolNumber    = 112
	maxInterval3      = 0xfff * 10 * time.Millisecond // 12 bits of centiseconds
	maxInterval2      = 255 * time.Second
)

// Authentication types of version 2 (RFC 2338, section 5.3.6; RFC 3768 removed
// all but the first, but peers still use the second).
const (
	authNone     = 0
	authPassword = 1
)

// advert is an advertisement as it travels.
type advert struct {
	version   uint8
	id        uint8
	priority  uint8
	auth      uint8 // version 2 only
	interval  time.Duration
	password  [passwordLen]byte
	addresses []netip.Addr
	length    int // parsed: of the message; what follows it is a trailer
}

// drop is why a packet was not taken. The zero value means that it was.
type drop uint8

const (
	taken drop = iota
	dropTTL
	dropLength
	dropVersion
	dropType
	dropChecksum
	dropRouterID
	dropInterval
	dropAuth
	dropOwn
	dropSource
	dropDestination
	dropUnsigned // no HMAC
	dropTrailer  // malformed HMAC trailer
	dropKey      // of an unknown key
	dropHMAC     // wrong
	dropStale    // too old or too new
	dropReplay   // seen before
	dropFamily
	drops // how many there are
)

// String returns the reason as it is counted in Stats.Dropped.
func (d drop) String() string {
	switch d {
	case taken:
		return "none"
	case dropTTL:
		return "ttl"
	case dropLength:
		return "length"
	case dropVersion:
		return "version"
	case dropType:
		return "type"
	case dropChecksum:
		return "checksum"
	case dropRouterID:
		return "router_id"
	case dropInterval:
		return "interval"
	case dropAuth:
		return "auth"
	case dropOwn:
		return "own"
	case dropSource:
		return "source"
	case dropDestination:
		return "destination"
	case dropUnsigned:
		return "unsigned"
	case dropTrailer:
		return "trailer"
	case dropKey:
		return "unknown_key"
	case dropHMAC:
		return "hmac"
	case dropStale:
		return "stale"
	case dropReplay:
		return "replay"
	case dropFamily:
		return "family"
	}
	return "unknown"
}

// appendTo appends the advertisement's bytes to b, with the checksum that src
// and dst ask for.
func (a *advert) appendTo(b []byte, src, dst netip.Addr) []byte {
	start := len(b)
	b = append(b, a.version<<4|typeAdvertisement, a.id, a.priority, uint8(len(a.addresses)))
	if a.version == 2 {
		b = append(b, a.auth, uint8(min(a.interval/time.Second, math.MaxUint8)), 0, 0)
	} else {
		// Four reserved bits, then the interval in centiseconds (RFC 9568,
		// section 5.2.6 and 5.2.7).
		b = binary.BigEndian.AppendUint16(b, uint16(min(a.interval, maxInterval3)/(10*time.Millisecond)))
		b = append(b, 0, 0)
	}
	for _, ip := range a.addresses {
		b = appendAddr(b, ip)
	}
	if a.version == 2 {
		b = append(b, a.password[:]...)
	}
	msg := b[start:]
	binary.BigEndian.PutUint16(msg[checksumAt:], checksum(msg, a.pseudo(src, dst, len(msg))))
	return b
}

// pseudo returns the sum of the pseudo-header that a's checksum begins with.
//
// Version 2 has none. For version 3 over IPv4, RFC 9568 section 5.2.8 has none
// either, but RFC 5798 was read as asking for one, and keepalived and FRR
// require it unless told otherwise, so it is sent; both are taken (see parse).
func (a *advert) pseudo(src, dst netip.Addr, length int) uint32 {
	if a.version == 2 {
		return 0
	}
	return pseudoHeader(src, dst, length)
}

// parse reads an advertisement from b and says why it cannot be one. It reuses
// a.addresses. The sum is judged by the two ends of its journey. Checks in the
// order of RFC 9568, section 7.1; the ones that need to know the group are the
// group's (see admit).
func (a *advert) parse(b []byte, src, dst netip.Addr) drop {
	*a = advert{addresses: a.addresses[:0]}
	if len(b) < headerLen {
		return dropLength
	}
	// "It MUST verify that the VRRP version is 3." A group takes its own only.
	a.version, a.id, a.priority = b[0]>>4, b[1], b[2]
	if a.version != 2 && a.version != 3 {
		return dropVersion
	}
	if b[0]&0xf != typeAdvertisement {
		// "A packet with unknown type MUST be discarded" (section 5.2.2).
		return dropType
	}
	size, trailer := 4, 0
	if src.Is6() {
		size = 16
	}
	if a.version == 2 {
		if src.Is6() {
			return dropVersion
		}
		trailer = passwordLen
	}
	count := int(b[3])
	// "It MUST verify that the received packet contains the complete VRRP
	// packet (including fixed fields, and IPvX address)."
	if count == 0 || len(b) < headerLen+count*size+trailer {
		return dropLength
	}
	a.length = headerLen + count*size + trailer
	// "It MUST verify the VRRP checksum." In IPv6 it covers all of the payload,
	// an HMAC trailer too, in IPv4 the message only.
	switch msg := b[:a.length]; {
	case src.Is6():
		if checksum(b, pseudoHeader(src, dst, len(b))) != 0 {
			return dropChecksum
		}
	case checksum(msg, 0) == 0:
	case a.version == 3 && checksum(msg, pseudoHeader(src, dst, len(msg))) == 0:
	default:
		return dropChecksum
	}
	if a.version == 2 {
		a.auth, a.interval = b[4], time.Duration(b[5])*time.Second
		copy(a.password[:], b[headerLen+count*size:])
	} else {
		a.interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	}
	for i := range count {
		at := headerLen + i*size
		ip, _ := netip.AddrFromSlice(b[at : at+size])
		a.addresses = append(a.addresses, ip)
	}
	return taken
}

// appendAddr appends ip's bytes without a detour through the heap.
func appendAddr(b []byte, ip netip.Addr) []byte {
	if ip.Is4() {
		four := ip.As4()
		return append(b, four[:]...)
	}
	sixteen := ip.As16()
	return append(b, sixteen[:]...)
}
