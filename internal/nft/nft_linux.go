// Package nft tells whether a table of nftables is still as Director made it.
// The kernel gives tables no owner that lasts: whoever may, flushes a chain, adds
// a rule or lets the table sleep, and no message that we wait for tells so.
package nft

import (
	"errors"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// AtOnce is how many elements of a set one message holds: the length of an
// attribute has 16 bits, and an element takes less than 80 bytes.
const AtOnce = 500

// batchSize is how many bytes one transaction may have: the kernel takes it as one
// datagram, and refuses one that is longer than the socket's buffer. The elements of
// 50,000 addresses are shorter.
const batchSize = 8 << 20

// Connect returns a connection for one question or transaction, whose every
// request ends after the patience.
func Connect(patience time.Duration) (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(batchSize), c.SetDeadline(time.Now().Add(patience)))
	}))
}

// Table is one that we make: its chains, which let pass what no rule drops, and
// what is in each of them.
type Table struct {
	*nftables.Table
	Chains []*nftables.Chain
	Rules  int    // in each chain
	Tag    string // the user data of each rule
}

// State is what the kernel has of a table.
type State int

// The states of a table.
const (
	_      State = iota
	Absent       // no table of this name
	Broken       // not as we made it, or gone while it was looked at
	Whole        // our chains with our rules, nothing else; sets are not looked at
)

// State asks the kernel for the table.
func (t Table) State(c *nftables.Conn) (State, error) {
	tables, err := c.ListTablesOfFamily(t.Family)
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(tables, func(o *nftables.Table) bool { return o.Name == t.Name })
	if at < 0 {
		return Absent, nil
	}
	if tables[at].Flags != 0 {
		return Broken, nil // dormant, or somebody else's
	}
	have, err := c.ListChainsOfTableFamily(t.Family)
	if err != nil {
		return 0, err
	}
	have = slices.DeleteFunc(have, func(o *nftables.Chain) bool { return o.Table.Name != t.Name })
	if len(have) != len(t.Chains) {
		return Broken, nil
	}
	for _, want := range t.Chains {
		if !slices.ContainsFunc(have, func(is *nftables.Chain) bool { return sameChain(is, want) }) {
			return Broken, nil
		}
		rules, err := c.GetRules(t.Table, want)
		if errors.Is(err, unix.ENOENT) {
			return Broken, nil
		}
		if err != nil {
			return 0, err
		}
		foreign := func(r *nftables.Rule) bool { return string(r.UserData) != t.Tag }
		if len(rules) != t.Rules || slices.ContainsFunc(rules, foreign) {
			return Broken, nil
		}
	}
	return Whole, nil
}

// Elements returns those of a set or map of the table; ok is false when it is gone.
func Elements(c *nftables.Conn, set *nftables.Set) (elements []nftables.SetElement, ok bool, err error) {
	elements, err = c.GetSetElements(set)
	if errors.Is(err, unix.ENOENT) {
		return nil, false, nil
	}
	return elements, err == nil, err
}

// sameChain tells whether the kernel's chain is as it is wanted.
func sameChain(is, want *nftables.Chain) bool {
	return is.Name == want.Name && is.Type == want.Type &&
		is.Hooknum != nil && *is.Hooknum == *want.Hooknum &&
		is.Priority != nil && *is.Priority == *want.Priority &&
		is.Policy != nil && *is.Policy == nftables.ChainPolicyAccept
}

// Remove takes a table away in the transaction of the connection, if there is one.
func Remove(c *nftables.Conn, t *nftables.Table) {
	c.AddTable(t) // so that there is one to delete
	c.DelTable(t)
}
