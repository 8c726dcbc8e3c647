package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

const (
	etherLen      = 14 // of an Ethernet header
	ipv6Len       = 40 // of an IPv6 header
	protocolICMP6 = 58
	solicitation  = 135 // RFC 4861, section 4.3
	advertisement = 136 // section 4.4
)

// parseClaim reads what an Ethernet frame says of an address: by ARP, who sends
// from it, or asks whether he may have it (RFC 5227, section 2.1.1: the sender's
// address is 0); by neighbour discovery, who advertises it, or asks whether he may
// have it (RFC 4862, section 5.4.3: the source is unspecified).
func parseClaim(b []byte) (claim, bool) {
	var f ethernet.Frame
	if f.UnmarshalBinary(b) != nil {
		return claim{}, false
	}
	switch f.EtherType {
	case ethernet.EtherTypeARP:
		return parseARP(f.Payload)
	case ethernet.EtherTypeIPv6:
		return parseNDP(f.Source, f.Payload)
	}
	return claim{}, false
}

func parseARP(b []byte) (claim, bool) {
	var p arp.Packet
	if p.UnmarshalBinary(b) != nil {
		return claim{}, false
	}
	addr := p.SenderIP
	if addr.IsUnspecified() {
		addr = p.TargetIP
	}
	return claim{addr: addr, mac: p.SenderHardwareAddr}, true
}

func parseNDP(source net.HardwareAddr, b []byte) (claim, bool) {
	if len(b) < ipv6Len || b[6] != protocolICMP6 {
		return claim{}, false
	}
	// "The IP Hop Limit field has a value of 255, i.e., the packet could not
	// possibly have been forwarded by a router." (RFC 4861, section 7.1)
	if n := int(binary.BigEndian.Uint16(b[4:])); b[7] != 255 || n > len(b)-ipv6Len {
		return claim{}, false
	} else {
		b = b[:ipv6Len+n]
	}
	message, err := ndp.ParseMessage(b[ipv6Len:])
	if err != nil {
		return claim{}, false
	}
	switch m := message.(type) {
	case *ndp.NeighborAdvertisement:
		c := claim{addr: m.TargetAddress, mac: source}
		for _, o := range m.Options {
			if lla, ok := o.(*ndp.LinkLayerAddress); ok && lla.Direction == ndp.Target {
				c.mac = lla.Addr
			}
		}
		return c, true
	case *ndp.NeighborSolicitation:
		if netip.AddrFrom16([16]byte(b[8:24])).IsUnspecified() {
			return claim{addr: m.TargetAddress, mac: source}, true
		}
	}
	return claim{}, false
}
