package bfd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Linux is the Network of this machine.
type Linux struct{}

// The source port must be in this range (RFC 5881, section 4).
const firstSource, sources = 49152, 16384

// tos is DSCP CS6, internetwork control.
const tos = 0xc0

// option is one setsockopt.
type option struct {
	name            string
	level, opt, val int
}

func setOptions(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.val); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return nil
}

// Listen implements Network.
func (Linux) Listen(p Port) (Receiver, error) {
	network := "udp4"
	options := []option{
		{"IP_RECVTTL", unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
		{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
	}
	if p.V6 {
		network = "udp6"
		options = []option{
			{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) { set = setOptions(int(fd), options) })
		return errors.Join(err, set)
	}}
	conn, err := config.ListenPacket(context.Background(), network, p.Address().String())
	if err != nil {
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			return nil, errno // the caller knows the rest
		}
		return nil, err
	}
	return &udpReceiver{conn.(*net.UDPConn)}, nil
}

// udpReceiver is the socket of a Port.
type udpReceiver struct{ conn *net.UDPConn }

// Close implements Receiver.
func (r *udpReceiver) Close() error { return r.conn.Close() }

// Receive implements Receiver.
func (r *udpReceiver) Receive(d *Datagram) error {
	var oob [256]byte
	n, oobn, _, from, err := r.conn.ReadMsgUDPAddrPort(d.Payload[:], oob[:])
	if err != nil {
		return err
	}
	d.Size, d.Source = n, from.Addr().Unmap().WithZone("")
	index := d.readControl(oob[:oobn])
	return r.name(index, d)
}

// readControl takes TTL and destination from control messages, and returns the
// index of the interface.
func (d *Datagram) readControl(oob []byte) (index uint32) {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL && len(data) >= 4,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			d.TTL = uint8(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			index = binary.NativeEndian.Uint32(data)
			d.To = netip.AddrFrom4([4]byte(data[8:12]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			d.To = netip.AddrFrom16([16]byte(data[:16]))
			index = binary.NativeEndian.Uint32(data[16:])
		}
		oob = rest
	}
	return index
}

// name finds the interface's name, which a packet of an interface that has just
// gone has no more.
func (r *udpReceiver) name(index uint32, d *Datagram) error {
	request, err := unix.NewIfreq("index") // the name is to be filled in
	if err != nil {
		return err
	}
	request.SetUint32(index)
	conn, err := r.conn.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) {
		if unix.IoctlIfreq(int(fd), unix.SIOCGIFNAME, request) == nil {
			d.Interface = request.Name()
		}
	})
}

// udpSender is the socket of a session. It is outside the runtime's poller:
// nothing waits for it.
type udpSender struct {
	fd int
	to unix.Sockaddr
}

// Dial implements Network.
func (Linux) Dial(s Session) (Sender, error) {
	domain, options := unix.AF_INET, []option{
		// "All BFD Control packets ... MUST be sent with a TTL or Hop Limit value
		// of 255" (RFC 5881, section 5).
		{"IP_TTL", unix.IPPROTO_IP, unix.IP_TTL, 255},
		{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tos},
	}
	if s.Peer.Is6() {
		domain, options = unix.AF_INET6, []option{
			{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255},
			{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos},
		}
	}
	// Ahead of other traffic in the interface's queue.
	options = append(options, option{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 6})
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", err)
	}
	sender := &udpSender{fd: fd}
	if err := sender.prepare(s, options); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return sender, nil
}

// prepare makes the socket ready to send to the session's neighbour.
func (u *udpSender) prepare(s Session, options []option) error {
	if err := setOptions(u.fd, options); err != nil {
		return err
	}
	var index uint32
	if s.Interface != "" {
		request, err := unix.NewIfreq(s.Interface)
		if err != nil {
			return fmt.Errorf("interface %s: %w", s.Interface, err)
		}
		if err := unix.IoctlIfreq(u.fd, unix.SIOCGIFINDEX, request); err != nil {
			return fmt.Errorf("interface %s: %w", s.Interface, err)
		}
		index = request.Uint32()
		if err := unix.BindToDevice(u.fd, s.Interface); err != nil {
			return fmt.Errorf("bind to %s: %w", s.Interface, err)
		}
	}
	u.to = sockaddr(s.Peer, s.port().Number(), index)
	source := s.Source
	if !source.IsValid() {
		source = s.port().Address().Addr()
	}
	// "The source port MUST be in the range 49152 through 65535" and SHOULD be the
	// session's own.
	const tries = 32
	var err error
	for range tries {
		err = unix.Bind(u.fd, sockaddr(source, uint16(firstSource+rand.IntN(sources)), index))
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bind to %s: %w", source, err)
	}
	return nil
}

func sockaddr(addr netip.Addr, port uint16, index uint32) unix.Sockaddr {
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
	}
	to := &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)}
	if addr.IsLinkLocalUnicast() {
		to.ZoneId = index
	}
	return to
}

// Send implements Sender.
func (u *udpSender) Send(b []byte) error {
	if err := unix.Sendto(u.fd, b, unix.MSG_DONTWAIT, u.to); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close implements Sender.
func (u *udpSender) Close() error { return unix.Close(u.fd) }
