package vrrp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// netlinkPatience bounds every call to the kernel: its answer can be late
	// while others hold the lock of all interfaces, and has been seen to never come.
	netlinkPatience = 2 * time.Second

	// addressMark is the IFA_PROTO (Linux 5.18) of addresses that a director
	// has put up: `ip address` shows it, and a later run knows its own.
	addressMark = 0xd1
)

// rtnetlink changes addresses through route netlink and announces them.
type rtnetlink struct {
	announcer
	mu     sync.Mutex
	handle *netlink.Handle
}

func newRtnetlink() *rtnetlink {
	return &rtnetlink{announcer: announcer{conns: make(map[announceKey]announceConn)}}
}

// do runs a call on the socket and throws the socket away when the call failed
// for another reason than a refusal, so that a late answer meets nobody.
func (r *rtnetlink) do(call func(*netlink.Handle) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handle == nil {
		h, err := newHandle()
		if err != nil {
			return err
		}
		r.handle = h
	}
	err := call(r.handle)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
		r.handle.Close()
		r.handle = nil
	}
	return err
}

// newHandle opens a route netlink socket whose calls end.
func newHandle() (*netlink.Handle, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := h.SetSocketTimeout(netlinkPatience); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (r *rtnetlink) hold(l link, p netip.Prefix, o holdOptions) error {
	a := address(l, p)
	// The kernel counts lifetimes in whole seconds.
	seconds := int((o.lease + time.Second - 1) / time.Second)
	a.ValidLft, a.PreferedLft = seconds, seconds
	a.Protocol = addressMark
	if l.vmac != nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
		// Replies to a link-local neighbour leave by the link that asked,
		// which needs its own route there.
		o.noRoute = false
	}
	if l.vmac != nil && o.noRoute {
		// Two routes to one subnet, the macvlan's and its parent's, would
		// make it a matter of chance where replies leave.
		a.Flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if p.Addr().Is6() {
		// The other director may hold it for a moment more, and the address
		// must be of use at once.
		a.Flags |= unix.IFA_F_NODAD
		// Linux prefers the address that came last as a source (RFC 6724 leaves
		// it open), and what this machine asked from the virtual address would
		// be answered to whoever has it: a real server, by itself. A deprecated
		// address still answers, and is a source where there is no other.
		a.PreferedLft = 0
		if o.noRoute {
			// A lifetime is given to the prefix route as well, also to one
			// that the interface's own address shares: with it the route to
			// the subnet would expire. IPv4 has no such rule.
			a.Flags |= unix.IFA_F_NOPREFIXROUTE
		}
	}
	return r.do(func(h *netlink.Handle) error {
		var err error
		if a.LinkIndex, err = r.device(h, l); err != nil {
			return err
		}
		return needs(h.AddrReplace(nil, a), "CAP_NET_ADMIN")
	})
}

func (r *rtnetlink) release(l link, p netip.Prefix) error {
	err := r.do(func(h *netlink.Handle) error {
		if l.vmac != nil {
			return r.releaseDevice(h, l, address(l, p))
		}
		return h.AddrDel(nil, address(l, p))
	})
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return needs(err, "CAP_NET_ADMIN")
}

// address is p on l in the library's words.
func address(l link, p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{
		IPNet:     &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
		LinkIndex: l.index,
		Broadcast: net.IPv4zero, // none
	}
}
