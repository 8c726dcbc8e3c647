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
	frames framer // of announcements
	leases leaser
	mu     sync.Mutex
	handle *netlink.Handle
}

func newRtnetlink() *rtnetlink {
	return &rtnetlink{frames: make(framer)}
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
