package vrrp

import (
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

// ask sends the question out of the link itself, also for addresses that a
// macvlan carries: its answer is then seen by the link's ear.
func (s sockets) ask(l link, from, ip netip.Addr) error {
	if len(l.mac) != 6 {
		return nil // no Ethernet: nobody is asked for hardware addresses
	}
	frame, err := question(l.mac, from, ip)
	if err != nil {
		return err
	}
	return s.questions.send(&net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac}, frame)
}

// question is the frame that asks who has an address.
//
// In IPv4 it is an ARP probe (RFC 5227, section 2.1.1): its sender's address is 0,
// so nobody learns anything from it, and the answer comes to us alone. In IPv6 a
// probe would have to come from the unspecified address, and the answer would go
// to all nodes and turn their caches to the stranger (RFC 4861, section 7.2.4): so
// it is a solicitation from an address of the link's own, as for any neighbour.
func question(mac net.HardwareAddr, from, ip netip.Addr) (*ethernet.Frame, error) {
	if !ip.Is6() {
		return arpRequest(mac, netip.IPv4Unspecified(), net.HardwareAddr{0, 0, 0, 0, 0, 0}, ip)
	}
	to, err := ndp.SolicitedNodeMulticast(ip)
	if err != nil {
		return nil, err
	}
	return ndpFrame(mac, &ndp.NeighborSolicitation{
		TargetAddress: ip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}},
	}, from, to)
}
