package vrrp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
)

// ask sends the question out of the link itself, also for addresses that a
// macvlan carries: its answer is then seen by the link's ear.
func (s sockets) ask(l link, from, ip netip.Addr) error {
	if len(l.mac) != 6 {
		return nil // no Ethernet: nobody is asked for hardware addresses
	}
	to, frame, err := question(l.mac, from, ip)
	if err != nil {
		return err
	}
	conn := s.askers[l.index]
	if conn == nil {
		// Protocol 0 receives nothing: there is no queue that nobody reads.
		ifi := &net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac}
		if conn, err = packet.Listen(ifi, packet.Raw, 0, nil); err != nil {
			return fmt.Errorf("open packet socket: %w", needs(err, "CAP_NET_RAW"))
		}
		s.askers[l.index] = conn
	}
	if _, err = conn.WriteTo(frame, &packet.Addr{HardwareAddr: to}); err != nil {
		// The interface may have been replaced: the next one opens anew.
		conn.Close()
		delete(s.askers, l.index)
	}
	return err
}

// question is the frame that asks who has an address.
//
// In IPv4 it is an ARP probe (RFC 5227, section 2.1.1): its sender's address is 0,
// so nobody learns anything from it, and the answer comes to us alone. In IPv6 a
// probe would have to come from the unspecified address, and the answer would go
// to all nodes and turn their caches to the stranger (RFC 4861, section 7.2.4): so
// it is a solicitation from an address of the link's own, as for any neighbour.
func question(mac net.HardwareAddr, from, ip netip.Addr) (net.HardwareAddr, []byte, error) {
	f := &ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP}
	if ip.Is6() {
		to, err := ndp.SolicitedNodeMulticast(ip)
		if err != nil {
			return nil, nil, err
		}
		ns := &ndp.NeighborSolicitation{
			TargetAddress: ip,
			Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}},
		}
		body, err := ndp.MarshalMessageChecksum(ns, from, to)
		if err != nil {
			return nil, nil, err
		}
		f.Destination, f.EtherType = multicastMAC(to), ethernet.EtherTypeIPv6
		f.Payload = binary.BigEndian.AppendUint32(nil, 6<<28)
		f.Payload = binary.BigEndian.AppendUint16(f.Payload, uint16(len(body)))
		f.Payload = append(f.Payload, protocolICMP6, 255)
		f.Payload = append(appendAddr(appendAddr(f.Payload, from), to), body...)
	} else {
		p, err := arp.NewPacket(arp.OperationRequest, mac, netip.IPv4Unspecified(), net.HardwareAddr{0, 0, 0, 0, 0, 0}, ip)
		if err != nil {
			return nil, nil, err
		}
		if f.Payload, err = p.MarshalBinary(); err != nil {
			return nil, nil, err
		}
	}
	b, err := f.MarshalBinary()
	return f.Destination, b, err
}
