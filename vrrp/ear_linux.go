package vrrp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// packetEar is a packet socket that lets in what others claim of a few addresses.
type packetEar struct {
	conn  *packet.Conn
	index int
	buf   [512]byte // claims are shorter, with the options that are in use
}

func (sockets) overhear(l link, v6 bool, addrs []netip.Addr) (ear, error) {
	protocol, program := unix.ETH_P_ARP, arpClaims(addrs)
	if v6 {
		protocol, program = unix.ETH_P_IPV6, ndpClaims(addrs)
	}
	filter, err := bpf.Assemble(append(notOurs(), program...))
	if err != nil {
		return nil, fmt.Errorf("filter claims: %w", err)
	}
	ifi := &net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac}
	conn, err := packet.Listen(ifi, packet.Raw, protocol, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", needs(err, "CAP_NET_RAW"))
	}
	return &packetEar{conn: conn, index: l.index}, nil
}

const whole = ^uint32(0) // let in all of it

// notOurs drops what this machine sends itself.
func notOurs() []bpf.Instruction {
	const outgoing = 4 // PACKET_OUTGOING of linux/if_packet.h
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: outgoing, SkipTrue: 1},
		bpf.RetConstant{},
	}
}

// arpClaims lets in the ARP packets whose sender's protocol address, or target's
// if the sender has none, is one of addrs (RFC 826).
func arpClaims(addrs []netip.Addr) []bpf.Instruction {
	const senderAt, targetAt = etherLen + 8 + 6, etherLen + 8 + 10 + 6
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: senderAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1},
		bpf.LoadAbsolute{Off: targetAt, Size: 4},
	}, oneOf(addrs)...)
}

// ndpClaims lets in the neighbour advertisements, and the solicitations from the
// unspecified address, whose target ends as one of addrs does; what else that may
// be is for parseClaim's reader to see.
func ndpClaims(addrs []netip.Addr) []bpf.Instruction {
	const (
		nextAt, sourceAt = etherLen + 6, etherLen + 8
		typeAt           = etherLen + ipv6Len
		targetAt         = typeAt + 8
	)
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: nextAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolICMP6, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadAbsolute{Off: typeAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: advertisement, SkipTrue: 14},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: solicitation, SkipTrue: 1},
		bpf.RetConstant{},
	}
	for i := range uint32(4) {
		program = append(program,
			bpf.LoadAbsolute{Off: sourceAt + 4*i, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
			bpf.RetConstant{})
	}
	program = append(program, bpf.LoadAbsolute{Off: targetAt + 12, Size: 4})
	return append(program, oneOf(addrs)...)
}

// oneOf lets a packet in when the loaded word is how one of addrs ends. A filter
// has at most 4096 instructions and its conditional jumps reach 255 of them.
func oneOf(addrs []netip.Addr) []bpf.Instruction {
	const reach = 250
	var program []bpf.Instruction
	for some := range slices.Chunk(addrs, reach) {
		for i, a := range some {
			b := a.AsSlice()
			end := binary.BigEndian.Uint32(b[len(b)-4:])
			program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: end, SkipTrue: uint8(len(some) - i)})
		}
		program = append(program, bpf.Jump{Skip: 1}, bpf.RetConstant{Val: whole})
	}
	return append(program, bpf.RetConstant{})
}

func (e *packetEar) next() (claim, error) {
	for {
		n, _, err := e.conn.ReadFrom(e.buf[:])
		if err != nil {
			return claim{}, err
		}
		if c, ok := parseClaim(e.buf[:n]); ok {
			c.index = e.index
			return c, nil
		}
	}
}

func (e *packetEar) close() error { return e.conn.Close() }
