package conf

import (
	"fmt"
	"net/netip"

	"github.com/lvs-director/director/vrrp"
)

// mainTable is the routing table that is asked when nothing says otherwise.
const mainTable = 254

// route is a block route as decoded.
type route struct {
	vrrp.Route
	isDefault bool // to = "default": the family is that of the gateway
}

var routeSchema = schema[route]{
	kind:  "route",
	doc:   "A route, as of `ip route add`.",
	start: func() route { return route{Route: vrrp.Route{Table: mainTable}} },
	keys: []key[route]{
		key[route]{
			name: "to", kind: "IP/LEN", limits: "or default", doc: "where it leads",
			set: func(d *decoder, v value, r *route) {
				if v.kind == textValue && v.text == "default" {
					r.isDefault = true
					return
				}
				r.To = d.network("to", v)
			},
			show: func(*route) string { return "" },
		}.must(),
		hostKey("via", func(r *route) *netip.Addr { return &r.Via }, "gateway; none where the destinations are neighbours"),
		checkedText("interface", "string", func(r *route) *string { return &r.Interface }, checkInterface,
			"network interface; by default that of the gateway"),
		hostKey("source", func(r *route) *netip.Addr { return &r.Source },
			"preferred source of connections from this machine. With an address of the group, the route waits for it"),
		number("metric", 0, 1<<32-1, func(r *route) *uint32 { return &r.Metric },
			"of two routes the one with the lower metric is taken").by("0, in IPv6 1024"),
		number("table", 1, 1<<32-1, func(r *route) *uint32 { return &r.Table }, "routing table; 254 is main"),
		choice("scope", []word[vrrp.Scope]{
			{"global", vrrp.ScopeGlobal}, {"site", vrrp.ScopeSite}, {"link", vrrp.ScopeLink}, {"host", vrrp.ScopeHost},
		}, func(r *route) *vrrp.Scope { return &r.Scope }, "IPv4: how far away the destinations are").by("`global` with a gateway, else `link`"),
		choice("type", []word[vrrp.Action]{
			{"unicast", vrrp.Forward}, {"blackhole", vrrp.Blackhole}, {"unreachable", vrrp.Unreachable}, {"prohibit", vrrp.Prohibit},
		}, func(r *route) *vrrp.Action { return &r.Action }, "whether packets are forwarded, dropped, or refused with an ICMP message"),
		number("mtu", 68, 65535, func(r *route) *uint32 { return &r.MTU }, "bytes of a packet that goes this way").by("that of the interface"),
		truth("onlink", func(r *route) *bool { return &r.OnLink }, "whether the gateway is a neighbour although no address of the interface says so"),
	},
}

// hostKey is an argument that is one address of a machine.
func hostKey[T any](name string, field func(*T) *netip.Addr, doc string) key[T] {
	return key[T]{
		name: name, kind: "IP", doc: doc,
		set: func(d *decoder, v value, to *T) {
			if ip, ok := d.ip(name, v); ok {
				*field(to) = ip
			}
		},
		show: func(*T) string { return "" },
	}
}

// network decodes a network, or one address.
func (d *decoder) network(name string, v value) netip.Prefix {
	if v.kind != textValue {
		d.want(name, v, "a network in quotes, IP/LEN")
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(v.text)
	if ip, e := netip.ParseAddr(v.text); e == nil && ip.Zone() == "" {
		p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	switch {
	case err != nil || p.Addr().Is4In6():
		d.fail(v.at, "%s %q: want a network, IP/LEN, such as 10.0.0.0/8 or 2001:db8::/32", name, v.text)
	case p != p.Masked():
		d.fail(v.at, "%s %q: has bits beyond its length: want %s", name, v.text, p.Masked())
	case p.Addr().IsMulticast():
		d.fail(v.at, "%s %q: want a network of machines, not a multicast one", name, v.text)
	default:
		return p
	}
	return netip.Prefix{}
}

// finish fills in what depends on other arguments, and reports what does not go
// together. It returns false when there is no route.
func (r *route) finish(d *decoder, b *block) bool {
	before := len(d.problems)
	if r.isDefault {
		switch {
		case !r.Via.IsValid():
			d.fail(b.where("to"), "to \"default\": without a gateway the family is not known: want 0.0.0.0/0 or ::/0")
			return false
		case r.Via.Is6():
			r.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		default:
			r.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
	}
	if !r.To.IsValid() {
		return false // has been reported
	}
	for _, other := range []struct {
		name string
		addr netip.Addr
	}{{"via", r.Via}, {"source", r.Source}} {
		if other.addr.IsValid() && other.addr.Is6() != r.V6() {
			d.fail(b.where(other.name), "%s %s: is of another family than %s", other.name, other.addr, r.To)
		}
	}
	scoped := b.body.find("scope") != nil
	switch {
	case r.Action == vrrp.Forward && !r.Via.IsValid() && r.Interface == "":
		d.fail(b.at, "route to %s: want via, interface, or both", r.To)
	case r.Action != vrrp.Forward && (r.Via.IsValid() || r.Interface != "" || r.Source.IsValid() || r.MTU != 0 || r.OnLink):
		d.fail(b.where("type"), "type %q: goes nowhere, and has no via, interface, source, mtu and onlink", r.Action)
	case r.OnLink && (!r.Via.IsValid() || r.Interface == ""):
		d.fail(b.where("onlink"), "onlink: want via and interface as well")
	case r.Via.IsLinkLocalUnicast() && r.Via.Is6() && r.Interface == "":
		d.fail(b.where("via"), "via %s: is an address of a link: want the interface as well", r.Via)
	case r.V6() && scoped:
		d.fail(b.where("scope"), "scope: IPv6 routes have none")
	case r.V6() && r.MTU != 0 && r.MTU < 1280:
		d.fail(b.where("mtu"), "mtu %d: want at least 1280 in IPv6", r.MTU)
	case r.Scope >= vrrp.ScopeLink && r.Via.IsValid():
		d.fail(b.where("scope"), "scope %q: destinations behind a gateway are further away", r.Scope)
	}
	if r.V6() && r.Metric == 0 {
		r.Metric = 1024 // IP6_RT_PRIO_USER, which the kernel takes for 0
	}
	if !r.V6() && !scoped && r.Action == vrrp.Forward && !r.Via.IsValid() {
		r.Scope = vrrp.ScopeLink
	}
	return len(d.problems) == before
}

// rule is a block rule as decoded.
type rule struct {
	vrrp.Rule
	family string
}

var ruleSchema = schema[rule]{
	kind:  "rule",
	doc:   "A rule of the routing policy, as of `ip rule add`: which packets are routed by which table.",
	start: func() rule { return rule{} },
	keys: []key[rule]{
		number("priority", 1, 32765, func(r *rule) *uint32 { return &r.Priority },
			"its place: the lower is asked first. Table main is asked at 32766").must(),
		networkKey("from", func(r *rule) *netip.Prefix { return &r.From }, "source of the packets"),
		networkKey("to", func(r *rule) *netip.Prefix { return &r.To }, "destination of the packets"),
		number("mark", 1, 1<<32-1, func(r *rule) *uint32 { return &r.Mark }, "mark that the firewall has set").by("any"),
		checkedText("in_interface", "string", func(r *rule) *string { return &r.In }, checkInterface,
			"network interface that they come in by; `lo` are those of this machine"),
		checkedText("out_interface", "string", func(r *rule) *string { return &r.Out }, checkInterface,
			"network interface that a local socket is bound to"),
		choice("family", same("ipv4", "ipv6"), func(r *rule) *string { return &r.family },
			"wanted where neither from nor to says it").by("that of from and to"),
		number("table", 1, 1<<32-1, func(r *rule) *uint32 { return &r.Table }, "routing table that is asked").by("none"),
		choice("action", []word[vrrp.Action]{
			{"lookup", vrrp.Forward}, {"blackhole", vrrp.Blackhole}, {"unreachable", vrrp.Unreachable}, {"prohibit", vrrp.Prohibit},
		}, func(r *rule) *vrrp.Action { return &r.Action }, "whether the table is asked, or the packets are dropped, or refused with an ICMP message"),
	},
}

// networkKey is an argument that is a network; all addresses are as none.
func networkKey[T any](name string, field func(*T) *netip.Prefix, doc string) key[T] {
	return key[T]{
		name: name, kind: "IP/LEN", doc: doc,
		set: func(d *decoder, v value, to *T) {
			if p := d.network(name, v); p.IsValid() && p.Bits() == 0 {
				d.fail(v.at, "%s %s: are all packets: leave it out, and give the family", name, p)
			} else {
				*field(to) = p
			}
		},
		show: func(*T) string { return "any" },
	}
}

// finish fills in the family, and reports what does not go together.
func (r *rule) finish(d *decoder, b *block) bool {
	before := len(d.problems)
	switch {
	case r.From.IsValid():
		r.V6 = r.From.Addr().Is6()
	case r.To.IsValid():
		r.V6 = r.To.Addr().Is6()
	default:
		r.V6 = r.family == "ipv6"
		if r.family == "" {
			d.fail(b.at, "rule: want from, to or the family")
		}
	}
	if r.To.IsValid() && r.To.Addr().Is6() != r.V6 {
		d.fail(b.where("to"), "to %s: is of another family than from", r.To)
	}
	if r.family != "" && (r.family == "ipv6") != r.V6 {
		d.fail(b.where("family"), "family %q: the addresses are of the other", r.family)
	}
	selects := r.From.IsValid() || r.To.IsValid() || r.Mark != 0 || r.In != "" || r.Out != ""
	switch {
	case r.Action == vrrp.Forward && r.Table == 0:
		d.fail(b.at, "rule: table is missing")
	case r.Action != vrrp.Forward && r.Table != 0:
		d.fail(b.where("table"), "table %d: is not asked by the action %q", r.Table, r.Action)
	case r.Action != vrrp.Forward && !selects:
		d.fail(b.at, "rule: would stop all packets: want from, to, mark, in_interface or out_interface")
	}
	return len(d.problems) == before
}

// routeID is what only one route has.
type routeID struct {
	to            netip.Prefix
	metric, table uint32
}

func idOf(r vrrp.Route) routeID { return routeID{r.To, r.Metric, r.Table} }

// String names the route in a problem.
func (id routeID) String() string {
	return fmt.Sprintf("route to %s of metric %d in table %d", id.to, id.metric, id.table)
}

// fixtures are routes and rules as decoded, and where they stand.
type fixtures struct {
	vrrp.Fixtures
	addressAt, routeAt, ruleAt []span
}

// fixtureBlocks are the blocks route and rule of a T.
func fixtureBlocks[T any](field func(*T) *fixtures) []inner[T] {
	return []inner[T]{
		nest(&routeSchema, false, func(d *decoder, b *block, to *T, r route) {
			if r.finish(d, b) {
				f := field(to)
				f.Routes, f.routeAt = append(f.Routes, r.Route), append(f.routeAt, b.at)
			}
		}),
		nest(&ruleSchema, false, func(d *decoder, b *block, to *T, r rule) {
			if r.finish(d, b) {
				f := field(to)
				f.Rules, f.ruleAt = append(f.Rules, r.Rule), append(f.ruleAt, b.at)
			}
		}),
	}
}

// addFixtures takes up the fixtures of p, which stand in what is named by.
func (a *assembly) addFixtures(p *piece, f *fixtures, by string) {
	for i, prefix := range f.Addresses {
		id := vipOf(prefix.Prefix.Addr(), prefix.Interface)
		if first, twice := a.vips[id]; twice {
			a.fail(p, f.addressAt[i], first.place(), "address %s is given twice: %q has it", prefix.Prefix.Addr(), first.name)
		} else {
			a.vips[id] = where{p, f.addressAt[i], by}
		}
	}
	for i, r := range f.Routes {
		if first, twice := a.routes[idOf(r)]; twice {
			a.fail(p, f.routeAt[i], first.place(), "%s is given twice: %s has it", idOf(r), first.name)
		} else {
			a.routes[idOf(r)] = where{p, f.routeAt[i], by}
		}
	}
	for i, r := range f.Rules {
		if first, twice := a.rules[r]; twice {
			a.fail(p, f.ruleAt[i], first.place(), "rule %s is given twice: %s has it", r, first.name)
		} else {
			a.rules[r] = where{p, f.ruleAt[i], by}
		}
	}
}
