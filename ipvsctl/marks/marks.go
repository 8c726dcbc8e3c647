// Package marks gives packets a firewall mark (fwmark) by where they go, so that
// one IPVS service of a mark stands for many addresses and ports: A of them in
// front of R real servers cost R destinations in the kernel and not A×R.
//
// The marks are a map in a table of nftables that is Director's own. Rules and
// tables of others are not looked at.
package marks

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/lvs-director/director/ipvsctl"
)

// Target is where a packet goes.
type Target struct {
	Protocol ipvsctl.Protocol
	Addr     netip.AddrPort
}

// String returns the target as `tcp 192.0.2.1:80`.
func (t Target) String() string { return t.Protocol.String() + " " + t.Addr.String() }

// Table says which mark the packets to a target get.
type Table map[Target]uint32

// With returns a table that has the marks of both; where they differ, t's.
func (t Table) With(more Table) Table {
	both := maps.Clone(more)
	if both == nil {
		both = Table{}
	}
	maps.Copy(both, t)
	return both
}

// Change is one difference of two tables.
type Change struct {
	Target Target
	Was    uint32 // 0: no mark
	Is     uint32 // 0: no mark
}

// String returns the change in words.
func (c Change) String() string {
	switch {
	case c.Was == 0:
		return fmt.Sprintf("mark %s with %d", c.Target, c.Is)
	case c.Is == 0:
		return fmt.Sprintf("mark %s no more with %d", c.Target, c.Was)
	default:
		return fmt.Sprintf("mark %s with %d instead of %d", c.Target, c.Is, c.Was)
	}
}

// Diff returns what makes want of have, in the order of the targets.
func Diff(have, want Table) []Change {
	var changes []Change
	for target, mark := range want {
		if was := have[target]; was != mark {
			changes = append(changes, Change{target, was, mark})
		}
	}
	for target, mark := range have {
		if _, stays := want[target]; !stays {
			changes = append(changes, Change{target, mark, 0})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(a.Target.Addr.Compare(b.Target.Addr), cmp.Compare(a.Target.Protocol, b.Target.Protocol))
	})
	return changes
}
