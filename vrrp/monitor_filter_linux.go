package vrrp

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// groups is the mask of multicast groups of route netlink.
func groups(numbers ...int) uint32 {
	var mask uint32
	for _, n := range numbers {
		mask |= 1 << (n - 1)
	}
	return mask
}

// passive keeps from the monitor what it has no use for: on a machine with a
// routing daemon thousands of routes may come and go each second. Of the
// messages about routes and rules only those pass that tell of a removal, and of
// routes only those that may carry our mark. Nor does it hear of what the
// keeper puts up or renews, of which the kernel tells with the number of the message
// that asked for it, in IPv4: a takeover has better things to do.
func passive() ([]bpf.RawInstruction, error) {
	// A netlink message begins with its length, 4 bytes, and its type, 2
	// bytes in the order of the machine; its number is at 8; a rtmsg's sixth byte is the protocol.
	kind, sequence, protocol := uint32(4), uint32(8), uint32(unix.SizeofNlMsghdr+5)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		kind++
	}
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: kind, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.RTM_NEWADDR, SkipFalse: 3},
		bpf.LoadAbsolute{Off: sequence, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: leaseSequence, SkipTrue: 8},
		bpf.RetConstant{Val: 1 << 20},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.RTM_NEWROUTE, SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.RTM_NEWRULE, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.RTM_DELROUTE, SkipTrue: 3},
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: MinMark, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: MaxMark, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 20},
		bpf.RetConstant{Val: 0},
	})
}
