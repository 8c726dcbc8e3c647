package marks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableName is that of our table, of the family inet.
const tableName = "director"

// ruleTag is in the user data of our rules: a number to be raised when they change.
const ruleTag = "director 2"

// callTimeout bounds every request to the kernel.
const callTimeout = 5 * time.Second

// atOnce is how many elements one message holds: the length of an attribute has
// 16 bits, and an element takes less than 80 bytes.
const atOnce = 500

// Linux is nftables of the kernel, in the network namespace of the calling
// thread. The zero Linux is ready.
type Linux struct{}

// connect returns a connection for one question or transaction.
func connect() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetDeadline(time.Now().Add(callTimeout))
	}))
}

// family is what differs between IPv4 and IPv6.
type family struct {
	name        string
	nfproto     byte
	destination expr.Payload // where the address is in the packet
	protocol    uint32       // registers of the key's parts behind the address
	port        uint32
	key         nftables.SetDatatype
	size        int
}

// Registers: 1 is the first of 16 bytes; 8 and on are the same ones of 4 bytes.
var families = []family{
	{"ipv4", unix.NFPROTO_IPV4, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, 9, 10,
		nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService), keySize4},
	{"ipv6", unix.NFPROTO_IPV6, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}, 2, 13,
		nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeInetProto, nftables.TypeInetService), keySize6},
}

// set returns the map from targets to marks of the family. The library cannot
// tell nft that a mark is in the machine's byte order; the comment tells who looks.
func (f family) set(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: f.name, IsMap: true, Concatenation: true, KeyType: f.key, DataType: nftables.TypeMark,
		Comment: "by director; marks are shown with their bytes reversed",
	}
}

// rule is `meta mark set ip daddr . meta l4proto . th dport map @ipv4`. A packet
// that is not in the map keeps its mark, and so does one of this machine that has
// one already: `meta mark 0` comes first there. Checks mark packets that are to go
// to one real server only.
func (f family) rule(t *nftables.Table, c *nftables.Chain) *nftables.Rule {
	destination := f.destination
	var unmarked []expr.Any
	if c.Hooknum == nftables.ChainHookOutput {
		unmarked = []expr.Any{
			&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0, 0, 0, 0}},
		}
	}
	return &nftables.Rule{Table: t, Chain: c, UserData: []byte(ruleTag), Exprs: append(unmarked,
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.nfproto}},
		&destination,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.protocol},
		&expr.Payload{DestRegister: f.port, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: f.name},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	)}
}

// chains returns where packets are marked: those that come in, and those of this
// machine. Both are before IPVS looks at them.
func chains(t *nftables.Table) []*nftables.Chain {
	return []*nftables.Chain{
		{Table: t, Name: "prerouting", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle},
		{Table: t, Name: "output", Type: nftables.ChainTypeRoute, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityMangle},
	}
}

func newTable() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
}

// Read returns the marks that the kernel gives, and whether its table is whole.
// If it is not, Write makes it anew.
func (Linux) Read() (marks Table, whole bool, err error) {
	defer func() { err = explain(err) }()
	c, err := connect()
	if err != nil {
		return nil, false, err
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if errors.Is(err, unix.EINVAL) { // what nfnetlink says of a subsystem that nobody has registered
		return nil, false, fmt.Errorf("%w (%w)", unix.EOPNOTSUPP, err)
	}
	if err != nil {
		return nil, false, err
	}
	// A table with flags is dormant, or somebody else's.
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName && t.Flags == 0 }) {
		return nil, false, nil
	}
	t := newTable()
	whole, err = intact(c, t)
	if err != nil || !whole {
		return nil, false, err
	}
	marks = Table{}
	for _, f := range families {
		elements, err := c.GetSetElements(f.set(t))
		if errors.Is(err, unix.ENOENT) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		for _, e := range elements {
			target, err := parseKey(e.Key)
			if err != nil || len(e.Val) != 4 {
				return nil, false, nil // nothing that we put there
			}
			marks[target] = binaryutil.NativeEndian.Uint32(e.Val)
		}
	}
	return marks, true, nil
}

// intact tells whether the table has our chains with our rules, and nothing else.
func intact(c *nftables.Conn, t *nftables.Table) (bool, error) {
	have, err := c.ListChainsOfTableFamily(t.Family)
	if err != nil {
		return false, err
	}
	have = slices.DeleteFunc(have, func(c *nftables.Chain) bool { return c.Table.Name != t.Name })
	wanted := chains(t)
	if len(have) != len(wanted) {
		return false, nil
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(have, func(c *nftables.Chain) bool { return sameChain(c, want) }) {
			return false, nil
		}
		rules, err := c.GetRules(t, want)
		if err != nil {
			return false, err
		}
		if len(rules) != len(families) || slices.ContainsFunc(rules, func(r *nftables.Rule) bool { return string(r.UserData) != ruleTag }) {
			return false, nil
		}
	}
	return true, nil
}

// sameChain tells whether the kernel's chain is as it is wanted: where it was
// made, and letting through what it has marked.
func sameChain(is, want *nftables.Chain) bool {
	return is.Name == want.Name && is.Type == want.Type &&
		is.Hooknum != nil && *is.Hooknum == *want.Hooknum &&
		is.Priority != nil && *is.Priority == *want.Priority &&
		is.Policy != nil && *is.Policy == nftables.ChainPolicyAccept
}

// Write makes want of have, which Read has returned, in one transaction: no
// packet meets a half of it.
func (Linux) Write(have, want Table, whole bool) error {
	c, err := connect()
	if err != nil {
		return explain(err)
	}
	t := newTable()
	if !whole {
		c.AddTable(t) // so that there is one to delete
		c.DelTable(t)
		c.AddTable(t)
		have = nil
		for _, f := range families {
			if err := c.AddSet(f.set(t), nil); err != nil {
				return explain(err)
			}
		}
		for _, chain := range chains(t) {
			c.AddChain(chain)
			for _, f := range families {
				c.AddRule(f.rule(t, chain))
			}
		}
	}
	changes := Diff(have, want)
	for _, f := range families {
		if err := f.change(c, t, changes); err != nil {
			return explain(err)
		}
	}
	return explain(c.Flush())
}

// change adds and removes the family's elements of the changes.
func (f family) change(c *nftables.Conn, t *nftables.Table, changes []Change) error {
	var gone, come []nftables.SetElement
	for _, change := range changes {
		key := change.Target.key()
		if len(key) != f.size {
			continue
		}
		if change.Was != 0 {
			gone = append(gone, nftables.SetElement{Key: key, Val: binaryutil.NativeEndian.PutUint32(change.Was)})
		}
		if change.Is != 0 {
			come = append(come, nftables.SetElement{Key: key, Val: binaryutil.NativeEndian.PutUint32(change.Is)})
		}
	}
	for some := range slices.Chunk(gone, atOnce) {
		if err := c.SetDeleteElements(f.set(t), some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(come, atOnce) {
		if err := c.SetAddElements(f.set(t), some); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes our table away, if there is one.
func (Linux) Remove() error {
	c, err := connect()
	if err != nil {
		return explain(err)
	}
	c.AddTable(newTable()) // so that there is one to delete
	c.DelTable(newTable())
	return explain(c.Flush())
}

// explain says what a kernel lacks.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("mark packets: this kernel has no nftables: load the module nf_tables: %w", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("mark packets: no permission to use nftables: CAP_NET_ADMIN is needed: %w", err)
	}
	return fmt.Errorf("mark packets: %w", err)
}
