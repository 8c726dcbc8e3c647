package bfd

import (
	"encoding/binary"
	"time"
)

// packetSize is the size of a Control packet without authentication.
const packetSize = 24

// version is the only one that is in use.
const version = 1

// packet is a BFD Control packet (RFC 5880, section 4.1), without
// authentication. The times are whole microseconds.
type packet struct {
	diag        Diagnostic
	state       State
	poll        bool
	final       bool
	independent bool // C: the sender's BFD does not share the fate of its control plane
	demand      bool
	multiplier  uint8
	mine        uint32 // My Discriminator
	yours       uint32 // Your Discriminator
	minTx       time.Duration
	minRx       time.Duration
	minEchoRx   time.Duration
}

// The bits of the second byte, below the state.
const (
	bitPoll        = 1 << 5
	bitFinal       = 1 << 4
	bitIndependent = 1 << 3
	bitAuth        = 1 << 2
	bitDemand      = 1 << 1
	bitMultipoint  = 1 << 0
)

// drop is why a packet was dropped.
type drop uint8

const (
	kept drop = iota
	dropVersion
	dropLength
	dropMultiplier
	dropMultipoint
	dropMine
	dropState
	dropAuth
	dropFlags
	dropTTL
	dropSession
	dropAdmin
	drops // their number
)

// String returns the word for the reason in status and metrics.
func (d drop) String() string {
	switch d {
	case dropVersion:
		return "version"
	case dropLength:
		return "length"
	case dropMultiplier:
		return "multiplier"
	case dropMultipoint:
		return "multipoint"
	case dropMine:
		return "discriminator"
	case dropState:
		return "state"
	case dropAuth:
		return "authentication"
	case dropFlags:
		return "flags"
	case dropTTL:
		return "ttl"
	case dropSession:
		return "no_session"
	case dropAdmin:
		return "admin_down"
	case kept, drops:
	}
	return "none"
}

// parse reads a packet and does the checks of RFC 5880, section 6.8.6, that
// need no session, in the RFC's order.
func parse(b []byte) (packet, drop) {
	// "If the version number is not correct (1), the packet MUST be discarded."
	if len(b) < 1 {
		return packet{}, dropLength
	}
	if b[0]>>5 != version {
		return packet{}, dropVersion
	}
	// "If the Length field is less than the minimum correct value (24 if the A
	// bit is clear, or 26 if the A bit is set), the packet MUST be discarded."
	if len(b) < packetSize {
		return packet{}, dropLength
	}
	flags, length := b[1], int(b[3])
	if length < packetSize || flags&bitAuth != 0 && length < packetSize+2 {
		return packet{}, dropLength
	}
	// "If the Length field is greater than the payload of the encapsulating
	// protocol, the packet MUST be discarded."
	if length > len(b) {
		return packet{}, dropLength
	}
	// "If the Detect Mult field is zero, the packet MUST be discarded."
	if b[2] == 0 {
		return packet{}, dropMultiplier
	}
	// "If the Multipoint (M) bit is nonzero, the packet MUST be discarded."
	if flags&bitMultipoint != 0 {
		return packet{}, dropMultipoint
	}
	p := packet{
		diag:        Diagnostic(b[0] & 0x1f),
		state:       State(flags >> 6),
		poll:        flags&bitPoll != 0,
		final:       flags&bitFinal != 0,
		independent: flags&bitIndependent != 0,
		demand:      flags&bitDemand != 0,
		multiplier:  b[2],
		mine:        binary.BigEndian.Uint32(b[4:]),
		yours:       binary.BigEndian.Uint32(b[8:]),
		minTx:       microseconds(b[12:]),
		minRx:       microseconds(b[16:]),
		minEchoRx:   microseconds(b[20:]),
	}
	// "If the My Discriminator field is zero, the packet MUST be discarded."
	if p.mine == 0 {
		return packet{}, dropMine
	}
	// "If the Your Discriminator field is zero and the State field is not Down
	// or AdminDown, the packet MUST be discarded."
	if p.yours == 0 && p.state != Down && p.state != AdminDown {
		return packet{}, dropState
	}
	// "If the A bit is set and no authentication is in use (bfd.AuthType is
	// zero), the packet MUST be discarded." We never use it.
	if flags&bitAuth != 0 {
		return packet{}, dropAuth
	}
	// "A BFD Control packet MUST NOT have both the Poll (P) and Final (F) bits
	// set." (section 6.5)
	if p.poll && p.final {
		return packet{}, dropFlags
	}
	return p, kept
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}

// appendTo appends the packet's bytes to b.
func (p packet) appendTo(b []byte) []byte {
	flags := byte(p.state) << 6
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{p.poll, bitPoll}, {p.final, bitFinal}, {p.independent, bitIndependent}, {p.demand, bitDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.diag)&0x1f, flags, p.multiplier, packetSize)
	b = binary.BigEndian.AppendUint32(b, p.mine)
	b = binary.BigEndian.AppendUint32(b, p.yours)
	for _, t := range [...]time.Duration{p.minTx, p.minRx, p.minEchoRx} {
		b = binary.BigEndian.AppendUint32(b, uint32(t/time.Microsecond))
	}
	return b
}
