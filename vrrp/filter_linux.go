package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/nft"
)

// filterPriority is behind IPVS, which takes what belongs to its services at
// NF_IP_PRI_NAT_SRC-1, 99, on its way to a local socket (ip_vs_ops in
// net/netfilter/ipvs/ip_vs_core.c): what is dropped here is what IPVS has let pass.
const filterPriority = 200

// filterTag is in the user data of our rules: a number to be raised when they change.
const filterTag = "director closed 1"

// filter is a table of nftables, of the family inet, that drops what is
// addressed to the virtual addresses of closed groups.
type filter struct {
	used bool // since the start
}

// filterSets are the sets of addresses, with the rule that drops each, and how
// their keys are laid out.
var filterSets = []struct {
	name    string
	key     nftables.SetDatatype
	nfproto byte
	link    bool // the device's name comes before the address
	address expr.Payload
}{
	{"ipv4", nftables.TypeIPAddr, unix.NFPROTO_IPV4, false, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}},
	{"ipv6", nftables.TypeIP6Addr, unix.NFPROTO_IPV6, false, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}},
	{"link", nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIP6Addr), unix.NFPROTO_IPV6, true,
		expr.Payload{DestRegister: 2, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}},
}

// filterSetOf is the index of the set that an entry belongs to.
func filterSetOf(c closed) int {
	switch {
	case c.addr.Is4():
		return 0
	case c.device == "":
		return 1
	default:
		return 2
	}
}

// key is the entry as its set has it.
func (c closed) key() []byte {
	if c.device == "" {
		return c.addr.AsSlice()
	}
	return append(interfaceKey(c.device), c.addr.AsSlice()...)
}

// parseClosed reads the key of an entry.
func parseClosed(key []byte) (closed, bool) {
	var c closed
	if len(key) == unix.IFNAMSIZ+16 {
		c.device = strings.TrimRight(string(key[:unix.IFNAMSIZ]), "\x00")
		key = key[unix.IFNAMSIZ:]
	}
	var ok bool
	c.addr, ok = netip.AddrFromSlice(key)
	return c, ok
}

func interfaceKey(name string) []byte {
	key := make([]byte, unix.IFNAMSIZ)
	copy(key, name)
	return key
}

func filterTable(mark uint8) *nftables.Table {
	return &nftables.Table{Name: fmt.Sprintf("director_vrrp_%d", mark), Family: nftables.TableFamilyINet}
}

func newFilterChain(t *nftables.Table) *nftables.Chain {
	priority := nftables.ChainPriority(filterPriority)
	return &nftables.Chain{Table: t, Name: "input", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &priority}
}

// unreadable equals no list that is wanted.
var unreadable = []closed{{}}

// read returns what is closed, in order; unreadable if the filter is not whole.
// A kernel that has not loaded nftables is not made to by the question whether
// a former run has left something there.
func (f *filter) read(mark uint8) ([]closed, error) {
	if _, err := os.Stat("/sys/module/nf_tables"); err != nil && !f.used {
		return nil, nil
	}
	c, err := nft.Connect(netlinkPatience)
	if err != nil {
		return nil, explainFilter(err)
	}
	t := filterTable(mark)
	whole := nft.Table{Table: t, Chains: []*nftables.Chain{newFilterChain(t)}, Rules: len(filterRules()), Tag: filterTag}
	state, err := whole.State(c)
	if err != nil || state == nft.Absent {
		return nil, explainFilter(err)
	}
	f.used = true
	if state != nft.Whole {
		return unreadable, nil
	}
	var list []closed
	for _, s := range filterSets {
		elements, ok, err := nft.Elements(c, &nftables.Set{Table: t, Name: s.name})
		if err != nil {
			return nil, explainFilter(err)
		}
		if !ok {
			return unreadable, nil
		}
		for _, e := range elements {
			if entry, ok := parseClosed(e.Key); ok {
				list = append(list, entry)
			}
		}
	}
	if len(list) == 0 {
		return unreadable, nil // we leave no empty one
	}
	slices.SortFunc(list, closed.compare)
	return list, nil
}

// write makes the filter one of the list, in one transaction: no packet meets
// a half of it. Without a list there is none.
func (f *filter) write(mark uint8, list []closed) error {
	f.used = true
	c, err := nft.Connect(netlinkPatience)
	if err != nil {
		return explainFilter(err)
	}
	t := filterTable(mark)
	nft.Remove(c, t)
	if len(list) == 0 {
		err := explainFilter(c.Flush())
		if errors.Is(err, errNoFilter) {
			f.used = false
			return nil
		}
		return err
	}
	c.AddTable(t)
	for i, s := range filterSets {
		var elements []nftables.SetElement
		for _, entry := range list {
			if filterSetOf(entry) == i {
				elements = append(elements, nftables.SetElement{Key: entry.key()})
			}
		}
		set := &nftables.Set{Table: t, Name: s.name, KeyType: s.key, Concatenation: s.link}
		if err := c.AddSet(set, nil); err != nil {
			return explainFilter(err)
		}
		for some := range slices.Chunk(elements, nft.AtOnce) {
			if err := c.SetAddElements(set, some); err != nil {
				return explainFilter(err)
			}
		}
	}
	chain := c.AddChain(newFilterChain(t))
	for _, r := range filterRules() {
		c.AddRule(&nftables.Rule{Table: t, Chain: chain, UserData: []byte(filterTag), Exprs: r})
	}
	return explainFilter(c.Flush())
}

// filterRules are the rules of the chain:
//
//	iifname "lo" accept
//	icmpv6 type nd-neighbor-solicit accept
//	icmpv6 type nd-neighbor-advert accept
//	tcp flags & (fin | syn | rst | ack) != syn accept
//	ip daddr @ipv4 counter drop
//	ip6 daddr @ipv6 counter drop
//	iifname . ip6 daddr @link counter drop
//
// "MUST NOT drop IPv6 Neighbor Solicitations and Neighbor Advertisements"
// (RFC 9568, section 6.1). A segment of a connection that IPVS does not know is
// let pass to be answered with a reset, as without the filter: a client whose
// connection is lost with a failover learns it at once. New connections are not.
func filterRules() [][]expr.Any {
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	protocol := func(p byte) []expr.Any {
		return []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{p}},
		}
	}
	byteAt := func(offset uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 1}
	}
	rules := [][]expr.Any{{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: interfaceKey("lo")},
		accept,
	}}
	for _, kind := range []byte{135, 136} { // neighbour solicitation, advertisement
		rules = append(rules, append(protocol(unix.IPPROTO_ICMPV6),
			byteAt(0), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{kind}}, accept))
	}
	const fin, syn, rst, ack = 1, 2, 4, 16
	rules = append(rules, append(protocol(unix.IPPROTO_TCP),
		byteAt(13), &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{fin | syn | rst | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{syn}}, accept))
	for _, s := range filterSets {
		rule := []expr.Any{
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{s.nfproto}},
		}
		if s.link {
			rule = append(rule, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1})
		}
		rules = append(rules, append(rule, &s.address, &expr.Lookup{SourceRegister: 1, SetName: s.name},
			&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}))
	}
	return rules
}

// errNoFilter says that there is no nftables, or that it lacks an expression.
// nfnetlink says EINVAL of a subsystem that nobody has registered.
var errNoFilter = errors.New("filter: this kernel has no nftables: load the module nf_tables")

// explainFilter says what a kernel lacks.
func explainFilter(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", errNoFilter, err)
	}
	return needs(fmt.Errorf("filter: %w", err), "CAP_NET_ADMIN")
}
