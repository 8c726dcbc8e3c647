package ipvsctl

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// message is one netlink message of a datagram.
type message struct {
	typ, flags uint16
	seq        uint32
	body       []byte // after the netlink header
}

var errBadMessage = errors.New("malformed netlink message")

// nextMessage cuts the first message off a datagram.
func nextMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) < netlinkHeaderLen {
		return message{}, nil, errBadMessage
	}
	n := binary.NativeEndian.Uint32(b)
	if n < netlinkHeaderLen || uint64(n) > uint64(len(b)) {
		return message{}, nil, errBadMessage
	}
	m = message{
		typ:   binary.NativeEndian.Uint16(b[4:]),
		flags: binary.NativeEndian.Uint16(b[6:]),
		seq:   binary.NativeEndian.Uint32(b[8:]),
		body:  b[netlinkHeaderLen:n],
	}
	return m, b[min(int(n+3)&^3, len(b)):], nil
}

// errno returns the error number that an acknowledgement carries, 0 for success.
func (m message) errno() (syscall.Errno, error) {
	if len(m.body) < 4 {
		return 0, errBadMessage
	}
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(m.body))), nil
}

// attrs returns the attributes of a generic netlink message.
func (m message) attrs() ([]byte, error) {
	if len(m.body) < genlHeaderLen {
		return nil, errBadMessage
	}
	return m.body[genlHeaderLen:], nil
}
