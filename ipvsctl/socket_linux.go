package ipvsctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// receiveBuffer holds the errors of a whole batch and the largest part of a
	// dump. Setting it needs CAP_NET_ADMIN, as everything else here does.
	receiveBuffer = 4 << 20
	// partSize is the largest datagram of a dump: NLMSG_GOODSIZE or, when the
	// reader offers more, up to 32 KiB (netlink_dump).
	partSize = 32 << 10
)

// errNoAnswer means that the kernel did not answer in time. The outcome of the
// request is unknown.
var errNoAnswer = fmt.Errorf("the kernel did not answer: %w", syscall.ETIMEDOUT)

// socket is a netlink socket that speaks to the kernel's IPVS. It reads and
// writes whole buffers of messages itself: the library's connection allocates
// for every message and makes two system calls to receive one.
type socket struct {
	conn    *netlink.Conn
	raw     syscall.RawConn
	family  uint16
	seq     uint32
	timeout time.Duration
	in      []byte
	request encoder
}

// openSocket opens a socket in the network namespace of the file descriptor,
// or in that of the calling thread when it is 0.
func openSocket(netns int, timeout time.Duration) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, &netlink.Config{NetNS: netns})
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	s := &socket{conn: conn, timeout: timeout, in: make([]byte, partSize)}
	if err := s.prepare(); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) prepare() error {
	// An error without the failed request in it is a fifth of the size.
	if err := s.conn.SetOption(netlink.CapAcknowledge, true); err != nil {
		return fmt.Errorf("prepare netlink socket: %w", err)
	}
	if err := s.conn.SetReadBuffer(receiveBuffer); err != nil {
		return fmt.Errorf("prepare netlink socket: %w", err)
	}
	if err := s.conn.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return fmt.Errorf("prepare netlink socket: %w", err)
	}
	// Asking for the family makes the kernel load the module ip_vs.
	f, err := genetlink.NewConn(s.conn).GetFamily(genlName)
	if err != nil {
		return fmt.Errorf("find %s: %w", genlName, err)
	}
	s.family = f.ID
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		return fmt.Errorf("prepare netlink socket: %w", err)
	}
	return nil
}

// arm gives the next request and its answers their time.
func (s *socket) arm() error {
	return s.conn.SetDeadline(time.Now().Add(s.timeout))
}

// send writes a buffer of messages. The kernel has acted on all of them when
// it returns; refusals wait to be received.
func (s *socket) send(b []byte) error {
	var n int
	var errno error
	err := s.raw.Write(func(fd uintptr) bool {
		for n, errno = unix.Write(int(fd), b); errors.Is(errno, unix.EINTR); {
			n, errno = unix.Write(int(fd), b)
		}
		return !errors.Is(errno, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return noAnswer(err)
	case errno != nil:
		return fmt.Errorf("send to the kernel: %w", errno)
	case n != len(b):
		return fmt.Errorf("send to the kernel: %d bytes of %d taken", n, len(b))
	}
	return nil
}

// receive reads one datagram. It is valid until the next call.
func (s *socket) receive() ([]byte, error) {
	var n int
	var errno error
	err := s.raw.Read(func(fd uintptr) bool {
		for n, _, errno = unix.Recvfrom(int(fd), s.in, unix.MSG_TRUNC); errors.Is(errno, unix.EINTR); {
			n, _, errno = unix.Recvfrom(int(fd), s.in, unix.MSG_TRUNC)
		}
		return !errors.Is(errno, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case errno != nil: // ENOBUFS: answers were lost
		return nil, fmt.Errorf("receive from the kernel: %w", errno)
	case n > len(s.in):
		return nil, fmt.Errorf("receive from the kernel: message of %d bytes", n)
	}
	return s.in[:n], nil
}

func noAnswer(err error) error {
	if e, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && e.Timeout() {
		return errNoAnswer
	}
	return fmt.Errorf("netlink socket: %w", err)
}

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
