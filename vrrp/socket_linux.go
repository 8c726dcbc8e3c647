package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/poller"
)

// sockets are raw IP sockets, one per interface and family.
//
// They are used through recvmsg and sendmsg and not through package net, which
// allocates several times per packet: at an interval of 10 ms with many groups
// that would be the process's only garbage.
type sockets struct {
	questions framer // the keeper's goroutine has it
}

// socket is a raw socket for protocol 112, bound to one interface.
type socket struct {
	desk   *kernelDesk // waits for it
	fd     int
	unread bool // there may be something to receive
	link   link
	v6     bool

	out, in poller.Datagram
	control []byte // of out
	oob     [128]byte

	outlet *outlet // for frames of a virtual MAC address; nil until the first
	frame  []byte
}

// tos is DSCP CS6, internetwork control, which peers use too.
const tos = 0xc0

func (sockets) sit() (desk, error) { return newKernelDesk() }

func (d *kernelDesk) open(l link, v6 bool) (port, error) {
	domain := unix.AF_INET
	if v6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocolNumber)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", needs(err, "CAP_NET_RAW"))
	}
	if err := configure(fd, l, v6); err != nil {
		unix.Close(fd)
		return nil, err
	}
	// Not for writing: each packet that has left would wake us.
	if err := d.poller.Add(fd, unix.EPOLLIN|unix.EPOLLET); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("wait for socket: %w", err)
	}
	s := &socket{desk: d, fd: fd, link: l, v6: v6}
	d.sockets[fd] = s
	return s, nil
}

// needs names the capability whose lack is behind a refusal.
func needs(err error, capability string) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: %s is needed", err, capability)
	}
	return err
}

// option is one setsockopt.
type option struct {
	name            string
	level, opt, val int
}

// configure sets what both directions need.
func configure(fd int, l link, v6 bool) error {
	if err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, l.name); err != nil {
		return fmt.Errorf("bind to %s: %w", l.name, err)
	}
	options := []option{
		// Ahead of other traffic in the interface's queue.
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 6},
	}
	if v6 {
		options = append(options,
			option{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255},
			option{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255},
			option{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
			option{"IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, l.index},
			option{"IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0},
			option{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos},
			option{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			option{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			// The sum is ours, as in IPv4: -1 keeps the kernel from it.
			option{"IPV6_CHECKSUM", unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, -1},
		)
	} else {
		options = append(options,
			option{"IP_MULTICAST_TTL", unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 255},
			option{"IP_TTL", unix.IPPROTO_IP, unix.IP_TTL, 255},
			option{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
			// Else the socket hears groups that others joined on other interfaces.
			option{"IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
			option{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tos},
		)
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.val); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	if v6 {
		mreq := &unix.IPv6Mreq{Multiaddr: group6.As16(), Interface: uint32(l.index)}
		if err := unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq); err != nil {
			return fmt.Errorf("join %s: %w", group6, err)
		}
		return nil
	}
	mreq := &unix.IPMreqn{Multiaddr: group4.As4(), Ifindex: int32(l.index)}
	if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq); err != nil {
		return fmt.Errorf("set IP_MULTICAST_IF: %w", err)
	}
	if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq); err != nil {
		return fmt.Errorf("join %s: %w", group4, err)
	}
	return nil
}

// send sends without waiting: a full queue is an error, and the next
// advertisement is not far.
func (s *socket) send(payload []byte, to envelope) error {
	if to.mac != nil {
		return s.sendFrame(payload, to)
	}
	if s.v6 {
		s.out.Name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.dst.As16(), Scope_id: uint32(s.link.index)}
		s.control = pktinfo6(s.control[:0], to.src, s.link.index)
		s.control = number(s.control, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, to.ttl)
	} else {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&s.out.Name)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.dst.As4()}
		s.control = pktinfo4(s.control[:0], to.src, s.link.index)
		s.control = number(s.control, unix.IPPROTO_IP, unix.IP_TTL, to.ttl)
	}
	s.out.Prepare(payload, s.control)
	if s.out.Send(uintptr(s.fd)); s.out.Err != 0 {
		return s.out.Err
	}
	return nil
}

func (s *socket) receive(f *frame) (bool, error) {
	if !s.unread {
		return false, nil
	}
	// What a backup takes longer for here it would take over later.
	f.at = s.desk.poller.Looked()
	s.in.Prepare(f.buf[:], s.oob[:])
	if !s.in.Receive(uintptr(s.fd)) {
		s.desk.emptied(s)
		return false, nil
	}
	switch s.in.Err {
	case 0:
	case unix.EINTR, unix.ENETDOWN:
		// The interface went down; it may come back, and the links tell.
		f.n = 0
		return true, nil
	default:
		return false, fmt.Errorf("receive: %w", s.in.Err)
	}
	if s.v6 {
		f.src = netip.AddrFrom16(s.in.Name.Addr)
		return true, f.fill6(s.in.N, s.oob[:s.in.Header.Controllen])
	}
	f.fill4(s.in.N)
	return true, nil
}

// fill4 takes the IP header off, which a raw IPv4 socket delivers.
func (f *frame) fill4(n int) {
	f.n = 0
	if n < 20 {
		return
	}
	header := int(f.buf[0]&0xf) * 4
	if n < header {
		return
	}
	f.ttl = int(f.buf[8])
	f.src = netip.AddrFrom4([4]byte(f.buf[12:16]))
	f.dst = netip.AddrFrom4([4]byte(f.buf[16:20]))
	f.n = copy(f.buf[:], f.buf[header:n])
}

// fill6 takes hop limit and destination from the control messages.
func (f *frame) fill6(n int, oob []byte) error {
	f.n, f.ttl = n, 0
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return fmt.Errorf("read control message: %w", err)
		}
		switch {
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			f.ttl = int(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			f.dst = netip.AddrFrom16([16]byte(data[:16]))
		}
		oob = rest
	}
	return nil
}

func (s *socket) close() error {
	if s.outlet != nil {
		s.outlet.close()
	}
	s.desk.emptied(s)
	delete(s.desk.sockets, s.fd)
	return unix.Close(s.fd)
}

// pktinfo4 appends the control message that chooses source and interface.
func pktinfo4(b []byte, src netip.Addr, index int) []byte {
	b = cmsg(b, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = appendAddr(b, src)              // ipi_spec_dst: the source when sending
	return align(append(b, 0, 0, 0, 0)) // ipi_addr: of no use when sending
}

// pktinfo6 is pktinfo4 for IPv6.
func pktinfo6(b []byte, src netip.Addr, index int) []byte {
	b = cmsg(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	b = appendAddr(b, src)
	return align(binary.NativeEndian.AppendUint32(b, uint32(index)))
}

// number appends a control message of one integer.
func number(b []byte, level, typ int32, v int) []byte {
	b = cmsg(b, level, typ, 4)
	return align(binary.NativeEndian.AppendUint32(b, uint32(v)))
}

// cmsg appends the header of a control message with size bytes of data.
func cmsg(b []byte, level, typ int32, size int) []byte {
	h := unix.Cmsghdr{Level: level, Type: typ}
	h.SetLen(unix.CmsgLen(size))
	b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr)...)
	return align(b)
}

// align pads to where the kernel expects the next control message.
func align(b []byte) []byte {
	for len(b)%unix.SizeofPtr != 0 {
		b = append(b, 0)
	}
	return b
}
