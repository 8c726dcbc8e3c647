package marks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/nft"
)

// tableName is that of our table, of the family inet.
const tableName = "director"

// ruleTag is in the user data of our rules: a number to be raised when they change.
const ruleTag = "director 2"

// callTimeout bounds every request to the kernel.
const callTimeout = 5 * time.Second

// Linux is nftables of the kernel, in the network namespace of the calling
// thread. The zero Linux is ready.
type Linux struct{}

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
	c, err := nft.Connect(callTimeout)
	if err != nil {
		return nil, false, err
	}
	t := newTable()
	state, err := nft.Table{Table: t, Chains: chains(t), Rules: len(families), Tag: ruleTag}.State(c)
	if errors.Is(err, unix.EINVAL) { // what nfnetlink says of a subsystem that nobody has registered
		return nil, false, fmt.Errorf("%w (%w)", unix.EOPNOTSUPP, err)
	}
	if err != nil || state != nft.Whole {
		return nil, false, err
	}
	marks = Table{}
	for _, f := range families {
		elements, ok, err := nft.Elements(c, f.set(t))
		if err != nil || !ok {
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

// Write makes want of have, which Read has returned, in one transaction: no
// packet meets a half of it.
func (Linux) Write(have, want Table, whole bool) error {
	c, err := nft.Connect(callTimeout)
	if err != nil {
		return explain(err)
	}
	t := newTable()
	if !whole {
		nft.Remove(c, t)
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
	for some := range slices.Chunk(gone, nft.AtOnce) {
		if err := c.SetDeleteElements(f.set(t), some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(come, nft.AtOnce) {
		if err := c.SetAddElements(f.set(t), some); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes our table away, if there is one.
func (Linux) Remove() error {
	c, err := nft.Connect(callTimeout)
	if err != nil {
		return explain(err)
	}
	nft.Remove(c, newTable())
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
