package vrrp

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forget removes the neighbours on the link that the kernel waits for or has given
// up: to the next packet for them it begins anew, with a question at once.
func (r *rtnetlink) forget(l link) error {
	return needs(r.do(func(h *netlink.Handle) error {
		list, err := h.NeighList(l.index, unix.AF_UNSPEC)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
		const silent = unix.NUD_INCOMPLETE | unix.NUD_FAILED
		for _, n := range list {
			if n.State&silent == 0 {
				continue
			}
			if err := h.NeighDel(&n); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		return nil
	}), "CAP_NET_ADMIN")
}
