package vrrp

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/ipv6"
)

// announcer tells the neighbours where an address is. Only the keeper's
// goroutine uses it.
type announcer struct {
	conns map[announceKey]announceConn
}

// announceKey is what makes announcements share a socket.
type announceKey struct {
	index int
	v6    bool
}

// announceConn is a socket for announcements: one of the two is set.
type announceConn struct {
	arp *packet.Conn
	ndp *ndp.Conn
}

// allNodes is where unsolicited neighbour advertisements go (RFC 4861, section 7.2.6).
var allNodes = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x01})

func (a *announcer) announce(l link, ip netip.Addr) error {
	ifi, err := speaker(l)
	if err != nil {
		return err
	}
	key := announceKey{ifi.Index, ip.Is6()}
	c, ok := a.conns[key]
	if !ok {
		if c, err = openAnnounce(ifi, ip.Is6()); err != nil {
			return err
		}
		a.conns[key] = c
	}
	if err = c.announce(ifi, ip); err != nil {
		// The interface may have been replaced: the next one opens anew.
		c.close()
		delete(a.conns, key)
	}
	return err
}

func openAnnounce(ifi *net.Interface, v6 bool) (announceConn, error) {
	if v6 {
		// Not the link-local address, which the interface may lack: the
		// source is chosen with each packet.
		conn, _, err := ndp.Listen(ifi, ndp.Unspecified)
		if err != nil {
			return announceConn{}, fmt.Errorf("open NDP socket: %w", err)
		}
		return announceConn{ndp: conn}, nil
	}
	// Protocol 0 receives nothing: there is no queue that nobody reads.
	conn, err := packet.Listen(ifi, packet.Raw, 0, nil)
	if err != nil {
		return announceConn{}, fmt.Errorf("open ARP socket: %w", err)
	}
	return announceConn{arp: conn}, nil
}

func (c announceConn) announce(ifi *net.Interface, ip netip.Addr) error {
	mac := ifi.HardwareAddr
	if c.ndp != nil {
		// "Override Flag (O) set, Solicited Flag (S) cleared, Router Flag
		// (R) set, Target Address: the IPv6 address of the Virtual Router"
		// (RFC 9568, section 6.4.1).
		na := &ndp.NeighborAdvertisement{
			Router: true, Override: true, TargetAddress: ip,
			Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
		}
		cm := &ipv6.ControlMessage{HopLimit: 255, IfIndex: ifi.Index, Src: ip.AsSlice()}
		return c.ndp.WriteTo(na, cm, allNodes)
	}
	// A request for our own address, from it: the form that RFC 5227, section
	// 3 recommends, and the one that updates the most kinds of caches. The
	// target's hardware address is ours too (RFC 9568, erratum 7949).
	p, err := arp.NewPacket(arp.OperationRequest, mac, ip, mac, ip)
	if err != nil {
		return err
	}
	body, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	f := &ethernet.Frame{
		Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: body,
	}
	b, err := f.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = c.arp.WriteTo(b, &packet.Addr{HardwareAddr: ethernet.Broadcast})
	return err
}

func (c announceConn) close() {
	if c.arp != nil {
		c.arp.Close()
	}
	if c.ndp != nil {
		c.ndp.Close()
	}
}
