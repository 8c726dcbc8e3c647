package ipvsctl

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

const (
	// receiveBuffer holds the errors of a whole batch.
	receiveBuffer = 4 << 20
	// partSize is the room for a datagram. The kernel fills no part of a dump
	// beyond it, but allocates as much for each (netlink_dump), so that more
	// makes the many small dumps of destinations slower.
	partSize = 16 << 10
)

// errNoAnswer means that the kernel did not answer in time. The outcome of the
// request is unknown.
var errNoAnswer = fmt.Errorf("the kernel did not answer: %w", syscall.ETIMEDOUT)

// socket is a netlink socket that speaks to the kernel's IPVS. It blocks, with
// the time limit in the kernel, and reads and writes whole buffers of messages.
// The library's connection would wake Go's poller for each datagram, allocate
// for each message and make two system calls to receive one: reading a large
// table would take twice as long.
type socket struct {
	fd      int
	family  uint16
	seq     uint32
	in      []byte
	request encoder
}

// openSocket opens a socket in the network namespace of the calling thread.
func openSocket(timeout time.Duration) (*socket, error) {
	family, err := findFamily(timeout)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", genlName, err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	s := &socket{fd: fd, family: family, in: make([]byte, partSize)}
	if err := s.prepare(timeout); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare netlink socket: %w", err), s.close())
	}
	return s, nil
}

// findFamily returns the number of IPVS in generic netlink. Asking for it makes
// the kernel load the module ip_vs.
func findFamily(timeout time.Duration) (uint16, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	f, err := c.GetFamily(genlName)
	return f.ID, err
}

func (s *socket) prepare(timeout time.Duration) error {
	limit := unix.NsecToTimeval(timeout.Nanoseconds())
	// Beyond what an unprivileged program may have; without it less fits.
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return err
		}
	}
	return errors.Join(
		unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		// An error without the failed request in it is a fifth of the size.
		unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
	)
}

func (s *socket) close() error { return unix.Close(s.fd) }

// send writes a buffer of messages. The kernel has acted on all of them when
// it returns; refusals wait to be received.
func (s *socket) send(b []byte) error {
	n, err := unix.Write(s.fd, b)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Write(s.fd, b)
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return errNoAnswer
	case err != nil:
		return fmt.Errorf("send to the kernel: %w", err)
	case n != len(b):
		return fmt.Errorf("send to the kernel: %d bytes of %d taken", n, len(b))
	}
	return nil
}

// receive reads one datagram. It is valid until the next call.
func (s *socket) receive() ([]byte, error) {
	n, _, err := unix.Recvfrom(s.fd, s.in, unix.MSG_TRUNC)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(s.fd, s.in, unix.MSG_TRUNC)
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil, errNoAnswer
	case err != nil: // ENOBUFS: answers were lost
		return nil, fmt.Errorf("receive from the kernel: %w", err)
	case n > len(s.in):
		return nil, fmt.Errorf("receive from the kernel: message of %d bytes", n)
	}
	return s.in[:n], nil
}

// messages receives, and calls take for each message until it is done or fails.
func (s *socket) messages(take func(m message) (done bool, err error)) error {
	for {
		b, err := s.receive()
		if err != nil {
			return err
		}
		for len(b) > 0 {
			var m message
			if m, b, err = nextMessage(b); err != nil {
				return err
			}
			if done, err := take(m); done || err != nil {
				return err
			}
		}
	}
}
