package vrrp

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// closed is a virtual address that this machine routes and balances for, but
// does not answer for itself: "If Accept_Mode is False, MUST NOT accept these
// packets" (RFC 9568, section 6.4.3).
type closed struct {
	addr   netip.Addr
	device string // of a link-local address, which others may have on other links
}

// closed returns what a group's master does not accept. "If the Virtual Router
// is the owner of the addresses, MUST accept" (section 6.4.3).
func (m *member) closed() []closed {
	if !m.group.Closed || m.group.Priority == owner {
		return nil
	}
	var list []closed
	for _, p := range m.group.held() {
		c := closed{addr: p.Addr()}
		if c.addr.IsLinkLocalUnicast() && c.addr.Is6() {
			c.device = m.link.device()
		}
		list = append(list, c)
	}
	return list
}

// toClose returns what is to be closed of the fittings, in order. It does not
// wait for the addresses, nor end before them; what a former run has left
// closed stays so while its addresses may be there.
func toClose(list []fitting, shown []closed, now time.Time) []closed {
	var all []closed
	for _, f := range list {
		for _, c := range f.closed {
			_, is := slices.BinarySearchFunc(shown, c, closed.compare)
			if f.intent == keep || f.intent == letGo && f.dropAt.After(now) || f.intent == leave && is {
				all = append(all, c)
			}
		}
	}
	slices.SortFunc(all, closed.compare)
	return slices.Compact(all)
}

func (c closed) compare(o closed) int {
	return cmp.Or(c.addr.Compare(o.addr), strings.Compare(c.device, o.device))
}

// String returns the address, with its link where that matters.
func (c closed) String() string {
	if c.device == "" {
		return c.addr.String()
	}
	return c.addr.String() + "%" + c.device
}
