package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
)

// sendFrame sends a payload from a virtual MAC address: "Each VRRP
// advertisement ... MUST use the Virtual Router MAC address as the source MAC
// address" (RFC 9568, section 8.1.2 and 8.2.2), so that bridges learn where it
// is. It goes out of the parent interface as a whole frame: an IP socket on the
// macvlan could not use the parent's address as source in IPv6.
func (s *socket) sendFrame(payload []byte, to envelope) error {
	if s.outlet == nil {
		out, err := newOutlet(&net.Interface{Index: s.link.index, Name: s.link.name})
		if err != nil {
			return err
		}
		s.outlet = out
	}
	s.frame = appendFrame(s.frame[:0], multicastMAC(to.dst), payload, to)
	return s.outlet.send(s.frame)
}

// multicastMAC is where a multicast address goes on Ethernet (RFC 1112,
// section 6.4; RFC 2464, section 7).
func multicastMAC(ip netip.Addr) net.HardwareAddr {
	if ip.Is4() {
		b := ip.As4()
		return net.HardwareAddr{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := ip.As16()
	return net.HardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// appendFrame appends an Ethernet frame with an IP packet of the payload.
func appendFrame(b []byte, dst net.HardwareAddr, payload []byte, to envelope) []byte {
	b = append(b, dst...)
	b = append(b, to.mac...)
	if to.src.Is6() {
		b = binary.BigEndian.AppendUint16(b, uint16(ethernet.EtherTypeIPv6))
		return appendIPv6(b, tos, protocolNumber, byte(to.ttl), to.src, to.dst, payload)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(ethernet.EtherTypeIPv4))
	start := len(b)
	b = append(b, 4<<4|5, tos)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
	b = append(b, 0, 0, 0, 0, byte(to.ttl), protocolNumber, 0, 0)
	b = appendAddr(appendAddr(b, to.src), to.dst)
	binary.BigEndian.PutUint16(b[start+10:], checksum(b[start:], 0))
	return append(b, payload...)
}

// appendIPv6 appends an IPv6 packet of the payload.
func appendIPv6(b []byte, class uint32, protocol, hops byte, src, dst netip.Addr, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, 6<<28|class<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, protocol, hops)
	b = appendAddr(appendAddr(b, src), dst)
	return append(b, payload...)
}
