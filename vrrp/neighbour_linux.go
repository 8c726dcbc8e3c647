package vrrp

import (
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

// framer sends whole frames to the neighbours on links, by a socket for each
// interface. A socket of IP would do for IPv6, but not from an interface that
// was just made anew: package net knows for a minute the old number of its name.
// Only the keeper's goroutine uses it.
type framer map[string]*outlet // by the interface's name

// send sends a frame out of the interface.
func (f framer) send(ifi *net.Interface, frame *ethernet.Frame) error {
	b, err := frame.MarshalBinary()
	if err != nil {
		return err
	}
	out, err := f.open(ifi)
	if err != nil {
		return err
	}
	if err = out.send(b); err != nil {
		f.close(ifi.Name)
	}
	return err
}

// open returns the interface's socket, and opens it unless it is open.
func (f framer) open(ifi *net.Interface) (*outlet, error) {
	out, open := f[ifi.Name]
	if open && out.index == ifi.Index {
		return out, nil
	}
	if open {
		f.close(ifi.Name) // the interface was made anew
	}
	out, err := newOutlet(ifi)
	if err == nil {
		f[ifi.Name] = out
	}
	return out, err
}

func (f framer) close(name string) {
	f[name].close()
	delete(f, name)
}

// arpRequest is the frame in which mac asks all who has an address.
func arpRequest(mac net.HardwareAddr, sender netip.Addr, target net.HardwareAddr, ip netip.Addr) (*ethernet.Frame, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, sender, target, ip)
	if err != nil {
		return nil, err
	}
	body, err := p.MarshalBinary()
	return &ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: body}, err
}

// ndpFrame is a message of neighbour discovery to a multicast address.
func ndpFrame(mac net.HardwareAddr, m ndp.Message, from, to netip.Addr) (*ethernet.Frame, error) {
	body, err := ndp.MarshalMessageChecksum(m, from, to)
	if err != nil {
		return nil, err
	}
	return &ethernet.Frame{
		Destination: multicastMAC(to), Source: mac, EtherType: ethernet.EtherTypeIPv6,
		Payload: appendIPv6(nil, 0, protocolICMP6, 255, from, to, body),
	}, nil
}
