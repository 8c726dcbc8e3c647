package vrrp

import (
	"fmt"
	"net/netip"
	"strings"
)

// DefaultMark is what routes, rules and static addresses carry as the number
// of their protocol (RTA_PROTOCOL, FRA_PROTOCOL, IFA_PROTO) if the
// configuration does not say: `ip route show proto 118`. No other program is
// known to use it (keepalived has 18). What carries the mark is ours: what of
// it is not wanted is removed, also when a former run has left it. Two
// directors in one network namespace therefore need two marks.
const DefaultMark = 118

// The marks that a configuration may choose: no known program has a protocol
// number among them (iproute2's rt_protos, FRR).
const (
	MinMark = 100
	MaxMark = 185
)

// Fixtures are what a machine has beside the addresses of its groups.
type Fixtures struct {
	Addresses []StaticAddress
	Routes    []Route
	Rules     []Rule
}

// StaticAddress is an address that is the machine's own and always there. It
// has no lease: nobody else takes it over.
type StaticAddress struct {
	Interface string
	Prefix    netip.Prefix
}

// Route is an entry of a routing table.
type Route struct {
	To        netip.Prefix // 0.0.0.0/0 and ::/0 are the default route
	Via       netip.Addr   // gateway; invalid: the destinations are neighbours
	Interface string       // empty: where the gateway is
	Source    netip.Addr   // preferred, of connections from here; invalid: the kernel chooses
	Metric    uint32       // the lower is preferred
	Table     uint32
	Scope     Scope // IPv4
	Action    Action
	MTU       uint32 // 0: of the interface
	OnLink    bool   // the gateway is a neighbour although no address says so
}

// Rule is an entry of the routing policy: which packets are routed by which table.
type Rule struct {
	V6       bool
	Priority uint32       // the lower is asked first
	From, To netip.Prefix // invalid: any
	Mark     uint32       // of the firewall; 0: any
	In, Out  string       // interfaces; empty: any
	Table    uint32       // with Forward
	Action   Action
}

// Action is what becomes of a packet by a route or a rule.
type Action uint8

// The actions. Forward is a route's unicast and a rule's look-up.
const (
	Forward     Action = iota
	Blackhole          // dropped
	Unreachable        // refused: ICMP host unreachable
	Prohibit           // refused: ICMP administratively prohibited
)

// String returns the action as ip-route(8) writes it, and nothing for Forward.
func (a Action) String() string {
	switch a {
	case Blackhole:
		return "blackhole"
	case Unreachable:
		return "unreachable"
	case Prohibit:
		return "prohibit"
	}
	return ""
}

// Scope is how far away an IPv4 route's destinations are.
type Scope uint8

// The scopes, with the numbers of the kernel (RT_SCOPE_*).
const (
	ScopeGlobal Scope = 0
	ScopeSite   Scope = 200
	ScopeLink   Scope = 253
	ScopeHost   Scope = 254
)

// String returns the scope as ip-route(8) writes it.
func (s Scope) String() string {
	switch s {
	case ScopeGlobal:
		return "global"
	case ScopeSite:
		return "site"
	case ScopeLink:
		return "link"
	case ScopeHost:
		return "host"
	}
	return fmt.Sprint(uint8(s))
}

// V6 tells the route's family.
func (r Route) V6() bool { return r.To.Addr().Is6() }

// String returns the route as ip-route(8) would take it.
func (r Route) String() string {
	w := words{r.Action.String(), r.To.String()}
	w.add("via", addrText(r.Via))
	w.add("dev", r.Interface)
	w.add("src", addrText(r.Source))
	w.add("metric", numberText(r.Metric))
	w.add("table", numberText(r.Table))
	if r.Scope != ScopeGlobal {
		w.add("scope", r.Scope.String())
	}
	w.add("mtu", numberText(r.MTU))
	if r.OnLink {
		w = append(w, "onlink")
	}
	return w.String()
}

// String returns the rule as ip-rule(8) would take it.
func (r Rule) String() string {
	w := words{}
	w.add("priority", numberText(r.Priority))
	w.add("from", prefixText(r.From))
	w.add("to", prefixText(r.To))
	w.add("fwmark", numberText(r.Mark))
	w.add("iif", r.In)
	w.add("oif", r.Out)
	if r.Action == Forward {
		w.add("table", numberText(r.Table))
	}
	return append(w, r.Action.String()).String()
}

// String returns the address as ip-address(8) would take it.
func (a StaticAddress) String() string { return a.Prefix.String() + " dev " + a.Interface }

// words are a sentence; empty ones are left out.
type words []string

func (w *words) add(name, value string) {
	if value != "" {
		*w = append(*w, name, value)
	}
}

func (w words) String() string {
	return strings.Join(strings.Fields(strings.Join(w, " ")), " ")
}

func numberText(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// key is what at most one route of a table has.
func (r Route) key() Route { return Route{To: r.To, Metric: r.Metric, Table: r.Table} }

// is tells whether a route that the kernel shows is the one that is wanted:
// what was left to the kernel may be anything.
func (r Route) is(shown Route) bool {
	if r.Interface == "" {
		shown.Interface = ""
	}
	if r.V6() {
		shown.Scope = r.Scope // the kernel has none
	}
	return r == shown
}
