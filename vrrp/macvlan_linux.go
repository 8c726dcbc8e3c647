package vrrp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addrGenModeNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenModeNone = 1

// device returns the interface that carries l's virtual addresses: l itself, or
// its macvlan, which is made if it is not there. The macvlan exists only while
// it has addresses: a backup "MUST discard packets with a destination
// link-layer MAC address equal to the Virtual Router MAC address" (RFC 9568,
// section 6.4.2).
func (r *rtnetlink) device(h *netlink.Handle, l link) (int, error) {
	if l.vmac == nil {
		return l.index, nil
	}
	name := l.device()
	k, err := h.LinkByName(name)
	if err == nil && k.Attrs().Flags&net.FlagUp != 0 {
		return k.Attrs().Index, nil
	}
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex, attrs.HardwareAddr = name, l.index, l.vmac
		// Private: what it sends comes back neither to its parent nor to another macvlan.
		k = &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
		if err := h.LinkAdd(k); err != nil {
			return 0, fmt.Errorf("add interface %s: %w", name, err)
		}
	}
	// It is set up last: one that is not up is one that was left half made.
	//
	// No link-local address of its own.
	if err := h.LinkSetIP6AddrGenMode(k, addrGenModeNone); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		return 0, fmt.Errorf("set address mode of %s: %w", name, err)
	}
	settings := map[string]string{
		// Only the interface that has an address answers for it: the macvlan
		// for the virtual ones, with the virtual MAC address.
		name + "/arp_ignore":   "1",
		l.name + "/arp_ignore": "1",
		// The parent has the routes to the neighbours, and so asks for them when
		// a virtual address has to answer something: not in that address's name,
		// or the neighbours learn it with the parent's MAC address.
		l.name + "/arp_announce": "2",
		// Routes to the neighbours stay with the parent. 2 is loose, and the
		// greater of this and "all" counts.
		name + "/rp_filter": "2",
	}
	for path, value := range settings {
		if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv4/conf", path), []byte(value), 0); err != nil {
			return 0, fmt.Errorf("set %s: %w", strings.ReplaceAll(path, "/", "."), err)
		}
	}
	if err := h.LinkSetUp(k); err != nil {
		return 0, fmt.Errorf("set %s up: %w", name, err)
	}
	found, err := h.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	return found.Attrs().Index, nil
}

// releaseDevice takes an address off the macvlan, and the macvlan away with
// its last one.
func (r *rtnetlink) releaseDevice(h *netlink.Handle, l link, a *netlink.Addr) error {
	k, err := h.LinkByName(l.device())
	if err != nil {
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			return nil
		}
		return err
	}
	a.LinkIndex = k.Attrs().Index
	if err := h.AddrDel(nil, a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return err
	}
	left, err := h.AddrList(k, netlink.FAMILY_ALL)
	if err != nil || len(left) > 0 {
		return err
	}
	return h.LinkDel(k)
}

// speaker is the interface that announcements go out of, and the MAC address
// that they tell.
func speaker(l link) (*net.Interface, error) {
	if l.vmac == nil {
		return &net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac}, nil
	}
	ifi, err := net.InterfaceByName(l.device())
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", l.device(), err)
	}
	return ifi, nil
}
