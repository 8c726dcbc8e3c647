package vrrp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"time"

	mnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/poller"
)

// leaseSequence is the number of all messages that put up or renew a lease: the
// monitor knows by it what is no news. It reads the same in both orders of bytes,
// and no other program is likely to count that far.
const leaseSequence = 0xd1d1d1d1

// ifaProto is IFA_PROTO of linux/if_addr.h, which x/sys lacks.
const ifaProto = 11

// leaser puts addresses on interfaces for a time, many with one message to the
// kernel. Only the keeper's goroutine uses it.
type leaser struct {
	conn   *mnetlink.Conn
	raw    syscall.RawConn    // the same
	msgs   []mnetlink.Message // scratch
	in     poller.Datagram
	answer [512]byte // refusals, which repeat the message, may be cut short
}

func (r *rtnetlink) hold(h holding) error { return r.lease([]holding{h}) }

func (r *rtnetlink) renew(list []holding) error { return r.lease(list) }

// lease asks for all of a list at once.
func (r *rtnetlink) lease(list []holding) error {
	c := &r.leases
	c.msgs = c.msgs[:0]
	for _, h := range list {
		index, err := r.deviceOf(h.link)
		if err != nil {
			return needs(err, "CAP_NET_ADMIN")
		}
		c.msgs = append(c.msgs, h.message(index))
	}
	return needs(c.exchange(), "CAP_NET_ADMIN")
}

// deviceOf returns the index of the interface that carries l's addresses.
func (r *rtnetlink) deviceOf(l link) (int, error) {
	if l.vmac == nil {
		return l.index, nil
	}
	index := 0
	err := r.do(func(h *netlink.Handle) (err error) {
		index, err = r.device(h, l)
		return err
	})
	return index, err
}

// open opens the socket unless it is open.
func (c *leaser) open() error {
	if c.conn != nil {
		return nil
	}
	conn, err := mnetlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return err
	}
	if c.raw, err = conn.SyscallConn(); err != nil {
		conn.Close()
		return err
	}
	c.conn = conn
	return nil
}

// exchange sends the messages and hears the first refusal, or that there was
// none: of the messages that the kernel refuses it says so, of the others only if
// asked, which the last one does. After a failure the socket is thrown away with what it has not read.
func (c *leaser) exchange() error {
	if err := c.open(); err != nil {
		return err
	}
	c.msgs[len(c.msgs)-1].Header.Flags |= mnetlink.Acknowledge
	_, err := c.conn.SendMessages(c.msgs)
	if err == nil {
		err = c.hear()
	}
	if err != nil {
		c.conn.Close()
		c.conn = nil
	}
	return err
}

// hear returns what the kernel has answered. It has when the message is sent, so
// there is nothing to wait for, as the library would.
func (c *leaser) hear() error {
	c.in.Prepare(c.answer[:], nil)
	came := false
	err := c.raw.Control(func(fd uintptr) { came = c.in.Receive(fd) })
	switch {
	case err != nil:
		return err
	case !came:
		return errUnanswered
	case c.in.Err != 0:
		return c.in.Err
	}
	return refusal(c.answer[:c.in.N])
}

// errUnanswered says that the kernel has said nothing, or what cannot be read.
var errUnanswered = errors.New("the kernel has not answered")

// refusal is what an answer of the kernel says: NLMSG_ERROR of linux/netlink.h is
// followed by a number, which is 0 when all is well.
func refusal(answer []byte) error {
	if len(answer) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errUnanswered
	}
	if number := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); number != 0 {
		return unix.Errno(-number)
	}
	return nil
}

// message asks for the address on the interface of an index.
func (h holding) message(index int) mnetlink.Message {
	// The kernel counts lifetimes in whole seconds.
	seconds := uint32((h.lease + time.Second - 1) / time.Second)
	preferred, flags := seconds, uint32(0)
	vmac, ip := h.link.vmac != nil, h.prefix.Addr()
	// Replies to a link-local neighbour leave by the link that asked, which
	// needs its own route there.
	if h.noRoute && !(vmac && ip.Is6() && ip.IsLinkLocalUnicast()) {
		flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if ip.Is6() {
		// The other director may hold it for a moment more, and the address
		// must be of use at once.
		flags |= unix.IFA_F_NODAD
		// Linux prefers the address that came last as a source (RFC 6724 leaves
		// it open), and what this machine asked from the virtual address would
		// be answered to whoever has it: a real server, by itself. A deprecated
		// address still answers, and is a source where there is no other.
		preferred = 0
	}
	b := make([]byte, 0, unix.SizeofIfAddrmsg+80)
	b = append(b, family(ip.Is6()), uint8(h.prefix.Bits()), 0, unix.RT_SCOPE_UNIVERSE)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = appendIP(b, unix.IFA_LOCAL, ip)
	b = appendIP(b, unix.IFA_ADDRESS, ip)
	b = appendNumbers(b, unix.IFA_FLAGS, flags)
	// Preferred and valid; when it was made and changed is not ours to say.
	b = appendNumbers(b, unix.IFA_CACHEINFO, preferred, seconds, 0, 0)
	b = append(appendAttribute(b, ifaProto, 1), addressMark, 0, 0, 0)
	return mnetlink.Message{
		Header: mnetlink.Header{
			Type:     unix.RTM_NEWADDR,
			Flags:    mnetlink.Request | mnetlink.Create | mnetlink.Replace,
			Sequence: leaseSequence,
		},
		Data: b,
	}
}

// appendAttribute begins an attribute of a kind and a length.
func appendAttribute(b []byte, kind, length uint16) []byte {
	b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+length)
	return binary.NativeEndian.AppendUint16(b, kind)
}

func appendIP(b []byte, kind uint16, ip netip.Addr) []byte {
	s := ip.AsSlice()
	return append(appendAttribute(b, kind, uint16(len(s))), s...)
}

func appendNumbers(b []byte, kind uint16, numbers ...uint32) []byte {
	b = appendAttribute(b, kind, uint16(4*len(numbers)))
	for _, n := range numbers {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}
