package vrrp

import (
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

// allNodes is where unsolicited neighbour advertisements go (RFC 4861, section 7.2.6).
var allNodes = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x01})

func (r *rtnetlink) announce(l link, ip netip.Addr) error {
	ifi, err := speaker(l)
	if err != nil {
		return err
	}
	frame, err := announcement(ifi.HardwareAddr, ip)
	if err != nil {
		return err
	}
	return r.frames.send(ifi, frame)
}

// announcement is the frame that says that an address is at mac.
func announcement(mac net.HardwareAddr, ip netip.Addr) (*ethernet.Frame, error) {
	if ip.Is6() {
		// "Override Flag (O) set, Solicited Flag (S) cleared, Router Flag
		// (R) set, Target Address: the IPv6 address of the Virtual Router"
		// (RFC 9568, section 6.4.1).
		return ndpFrame(mac, &ndp.NeighborAdvertisement{
			Router: true, Override: true, TargetAddress: ip,
			Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
		}, ip, allNodes)
	}
	// A request for our own address, from it: the form that RFC 5227, section
	// 3 recommends, and the one that updates the most kinds of caches. The
	// target's hardware address is ours too (RFC 9568, erratum 7949).
	return arpRequest(mac, ip, mac, ip)
}
