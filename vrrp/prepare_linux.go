package vrrp

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// prepare opens the sockets for addresses and for announcements, asks the kernel
// for the address on no interface, which it refuses, and makes an announcement that
// is not sent. Code that has never run is not in memory yet, and memory is locked
// only as it is touched: a takeover is no time to read the program from its disk.
func (r *rtnetlink) prepare(l link, ip netip.Addr) error {
	nowhere := holding{link: l, prefix: netip.PrefixFrom(ip, ip.BitLen()), lease: defaultLease}
	r.leases.msgs = append(r.leases.msgs[:0], nowhere.message(0))
	err := r.leases.exchange()
	if errors.Is(err, unix.ENODEV) {
		err = r.leases.open() // the refusal has closed it
	}
	if err != nil {
		return needs(err, "CAP_NET_ADMIN")
	}
	if l.vmac != nil {
		return nil // its interface is made with the address
	}
	ifi, err := speaker(l)
	if err != nil {
		return err
	}
	if _, err := announcement(ifi.HardwareAddr, ip); err != nil {
		return err
	}
	_, err = r.frames.open(ifi)
	return err
}
