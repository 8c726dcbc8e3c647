package vrrp

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// arpEar is a packet socket that lets in what others say by ARP of a few addresses.
type arpEar struct {
	conn  *packet.Conn
	index int
	buf   [128]byte // an ARP packet has 42 bytes, and padding
}

func (sockets) overhear(l link, addrs []netip.Addr) (ear, error) {
	filter, err := claimsOf(addrs)
	if err != nil {
		return nil, fmt.Errorf("filter ARP: %w", err)
	}
	ifi := &net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("open ARP socket: %w", needs(err, "CAP_NET_RAW"))
	}
	return &arpEar{conn: conn, index: l.index}, nil
}

// claimsOf lets in the ARP packets of others whose sender's protocol address is
// one of addrs.
func claimsOf(addrs []netip.Addr) ([]bpf.RawInstruction, error) {
	const (
		outgoing = 4          // PACKET_OUTGOING of linux/if_packet.h
		senderAt = 14 + 8 + 6 // behind the Ethernet header: RFC 826
		whole    = ^uint32(0) // let in all of it
	)
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: outgoing, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadAbsolute{Off: senderAt, Size: 4},
	}
	for _, a := range addrs {
		b := a.As4()
		value := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: 1}, bpf.RetConstant{Val: whole})
	}
	return bpf.Assemble(append(program, bpf.RetConstant{}))
}

func (e *arpEar) next() (claim, error) {
	for {
		n, _, err := e.conn.ReadFrom(e.buf[:])
		if err != nil {
			return claim{}, err
		}
		var f ethernet.Frame
		var p arp.Packet
		if f.UnmarshalBinary(e.buf[:n]) != nil || p.UnmarshalBinary(f.Payload) != nil {
			continue
		}
		return claim{index: e.index, addr: p.SenderIP, mac: p.SenderHardwareAddr}, nil
	}
}

func (e *arpEar) close() error { return e.conn.Close() }
