package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Route says how the packets of a probe leave this machine.
type Route struct {
	Source    netip.Addr // zero: the kernel chooses
	Interface string     // empty: the kernel chooses; otherwise needs CAP_NET_RAW
	Mark      uint32     // fwmark; 0 is none, otherwise needs CAP_NET_ADMIN

	// Through, if not empty, names the Way that they go, and which decides their
	// mark. Then Source, if it is zero, is as the kernel chooses for Towards.
	Through string
	Towards netip.Addr
}

// conn is a TCP connection on Go's own poller, for probes that say more than a
// dialog does. It is made of a raw socket, since net.Dialer spends time on what
// a probe has no use for: keep-alive, names of the ends, its own timers.
//
// It closes with FIN, not with a reset, so that a server does not log an error
// for each probe.
type conn struct {
	*os.File
	target netip.AddrPort
	stop   func() bool // of the watch on the context
}

// dial connects to target. The connection can be used until ctx is done: then
// whatever waits returns os.ErrDeadlineExceeded.
func dial(ctx context.Context, target netip.AddrPort, route Route) (*conn, error) {
	d := newDialog(target, route, nil)
	fd, err := d.open(wayOf(ctx))
	if err != nil {
		return nil, err
	}
	c := newConn(ctx, fd, target)
	if err := c.connected(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newConn takes over fd, which is non-blocking, so that os.File hands it to
// the poller.
func newConn(ctx context.Context, fd int, target netip.AddrPort) *conn {
	c := &conn{File: os.NewFile(uintptr(fd), "tcp"), target: target}
	c.stop = context.AfterFunc(ctx, func() { c.SetDeadline(longAgo()) })
	return c
}

// glance reads what there is to read, without regard to any deadline.
func (c *conn) glance() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	var seen error
	err = raw.Control(func(fd uintptr) { _, seen = rawRead(int(fd), make([]byte, 1)) })
	return cmp.Or(err, seen)
}

// connected waits until the connection stands. A second connect(2) tells both
// whether it does and, if not, why; SO_ERROR tells only the latter.
func (c *conn) connected() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("wait for connection: %w", err)
	}
	to := rawAddress(c.target)
	var refused error
	err = raw.Write(func(fd uintptr) bool {
		refused = rawConnect(int(fd), &to)
		return refused != unix.EALREADY && refused != unix.EINPROGRESS
	})
	if refused == unix.EISCONN {
		refused = nil
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return os.NewSyscallError("connect", refused)
}

// Close ends the connection.
func (c *conn) Close() error {
	c.stop()
	return c.File.Close()
}

// LocalAddr implements net.Conn for crypto/tls, which does not ask for it.
func (c *conn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.target) }

// openSocket makes a non-blocking socket for target with the options of route.
func openSocket(kind int, target netip.AddrPort, route Route, way *Way) (fd int, err error) {
	family := unix.AF_INET6
	if target.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if route.Through != "" {
		err = route.follow(fd, kind, target, way)
	} else {
		err = route.apply(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (r Route) apply(fd int) error {
	if r.Mark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(r.Mark)); err != nil {
			return fmt.Errorf("set mark %d: %w", r.Mark, err)
		}
	}
	if r.Interface != "" {
		if err := unix.BindToDevice(fd, r.Interface); err != nil {
			return fmt.Errorf("bind to interface %s: %w", r.Interface, err)
		}
	}
	if r.Source.IsValid() {
		// The port is chosen at connect(2), among those free for this target,
		// not now among those free for all.
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		if err := rawBind(fd, rawAddress(netip.AddrPortFrom(r.Source, 0))); err != nil {
			return fmt.Errorf("bind to %s: %w", r.Source, err)
		}
	}
	return nil
}

// oursAlone reports whether err is for want of something on this machine, and
// says nothing of the server.
func oursAlone(err error) bool {
	if errors.Is(err, errNoWay) || errors.Is(err, errVirtualSource) {
		return true
	}
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL, unix.EPERM, unix.EACCES} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
