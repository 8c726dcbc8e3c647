package conf

import (
	"net/netip"

	"github.com/lvs-director/director/vrrp"
)

// static is a block static as decoded.
type static struct{ fixtures }

var staticSchema = schema[static]{
	kind:  "static",
	doc:   "Addresses, routes and rules of this machine that are there whoever is MASTER, from the start of Director to its stop.",
	start: func() static { return static{} },
	blocks: append([]inner[static]{
		nest(&staticInterfaceSchema, false, func(_ *decoder, b *block, s *static, i staticInterface) {
			for n, p := range i.addresses {
				s.Addresses = append(s.Addresses, vrrp.StaticAddress{Interface: b.label(0).text, Prefix: p})
				s.addressAt = append(s.addressAt, i.at[n])
			}
		}),
	}, fixtureBlocks(func(s *static) *fixtures { return &s.fixtures })...),
}

// staticInterface is a block interface in static as decoded.
type staticInterface struct {
	addresses []netip.Prefix
	at        []span
}

var staticInterfaceSchema = schema[staticInterface]{
	kind:   "interface",
	labels: []string{"the name of a network interface"},
	doc:    "Addresses that are this machine's own. They have no lease: when Director is killed they stay.",
	start:  func() staticInterface { return staticInterface{} },
	keys: []key[staticInterface]{
		list("addresses", "IP/LEN", func(d *decoder, v value, i *staticInterface) {
			if v.kind != textValue {
				d.want("addresses", v, "an address in quotes, IP/LEN")
				return
			}
			prefix, wrong := parseVIP(v.text)
			if wrong != "" {
				d.fail(v.at, "address %q: %s", v.text, wrong)
				return
			}
			i.addresses, i.at = append(i.addresses, prefix), append(i.at, v.at)
		}, "the addresses").must(),
	},
}

// decodeStatic decodes a block static.
func decodeStatic(d *decoder, b *block) any {
	s := staticSchema.decode(d, b)
	for i := range b.body.blocks {
		in := &b.body.blocks[i]
		if in.kind != "interface" || len(in.labels) != 1 {
			continue
		}
		if want := checkInterface(in.label(0).text); want != "" {
			d.fail(in.label(0).at, "interface %q: want %s", in.label(0).text, want)
		}
	}
	return &s
}
