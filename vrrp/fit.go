package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// fitting is what the loop wants of one member's fixtures, or of the static
// ones, which belong to no member.
type fitting struct {
	member   *member // nil: the static ones
	fixtures Fixtures
	closed   []closed
	intent   intent
	ready    bool      // the addresses that they depend on are up
	dropAt   time.Time // intent is letGo: not before
}

// fixed is what the fitter has made of a fitting.
type fixed struct {
	routes, rules, addresses int // there now
	closed                   int
	problem                  string
}

// scene is what the kernel shows of ours.
type scene struct {
	Fixtures
	closed []closed // in order; none when the filter is not whole
}

// opKind is what is done with a fixture.
type opKind uint8

const (
	opAdd opKind = iota + 1
	opReplace
	opRemove
)

// op is one change: of one fixture, or of all that is closed.
type op struct {
	kind    opKind
	member  *member // whose it is; nil: static, or nobody's
	address *StaticAddress
	route   *Route
	rule    *Rule
	closed  *[]closed
}

// fit compares what is wanted with what the kernel shows of ours, and returns
// the difference in an order that works: rules go before the routes that they
// lead to and come after them; routes to neighbours come before those through
// gateways, which may be reached by them. What is neither wanted nor to be left
// alone for now goes: nobody speaks of it any more, or a former run has left it.
func fit(list []fitting, shown scene, now time.Time) []op {
	is, stay := shown.index(), Fixtures{}.index()
	var filter, addresses, routes, gateways, rules, gone []op
	if want := toClose(list, shown.closed, now); !slices.Equal(want, shown.closed) {
		filter = append(filter, op{kind: opReplace, closed: &want})
	}
	for _, f := range list {
		switch {
		case f.intent == keep && f.ready:
		case f.intent == letGo && !f.dropAt.After(now):
			continue
		default:
			stay.add(f.fixtures) // neither put up nor taken off
			continue
		}
		for _, a := range f.fixtures.Addresses {
			if !is.addresses[a] {
				addresses = append(addresses, op{kind: opAdd, member: f.member, address: &a})
			}
		}
		for _, r := range f.fixtures.Routes {
			there, ok := is.routes[r.key()]
			o := op{kind: opAdd, member: f.member, route: &r}
			switch {
			case ok && r.is(there):
				continue
			case ok:
				o.kind = opReplace
				is.routes[r.key()] = r // not to be removed
			}
			if r.Via.IsValid() {
				gateways = append(gateways, o)
			} else {
				routes = append(routes, o)
			}
		}
		for _, r := range f.fixtures.Rules {
			if !is.rules[r] {
				rules = append(rules, op{kind: opAdd, member: f.member, rule: &r})
			}
		}
		stay.add(f.fixtures)
	}
	for _, r := range shown.Rules {
		if !stay.rules[r] {
			gone = append(gone, op{kind: opRemove, rule: &r})
		}
	}
	for _, r := range shown.Routes {
		if w, ok := stay.routes[r.key()]; !ok || !w.is(is.routes[r.key()]) {
			gone = append(gone, op{kind: opRemove, route: &r})
		}
	}
	for _, a := range shown.Addresses {
		if !stay.addresses[a] {
			gone = append(gone, op{kind: opRemove, address: &a})
		}
	}
	return slices.Concat(filter, addresses, routes, gateways, rules, gone)
}

// fixtureIndex finds fixtures fast.
type fixtureIndex struct {
	addresses map[StaticAddress]bool
	routes    map[Route]Route // by key
	rules     map[Rule]bool
}

func (f Fixtures) index() fixtureIndex {
	x := fixtureIndex{make(map[StaticAddress]bool), make(map[Route]Route), make(map[Rule]bool)}
	x.add(f)
	return x
}

func (x fixtureIndex) add(f Fixtures) {
	for _, a := range f.Addresses {
		x.addresses[a] = true
	}
	for _, r := range f.Routes {
		x.routes[r.key()] = r
	}
	for _, r := range f.Rules {
		x.rules[r] = true
	}
}

// empty tells whether there are none.
func (f Fixtures) empty() bool { return len(f.Addresses)+len(f.Routes)+len(f.Rules) == 0 }

// count tells how many of a fitting's fixtures are there.
func (f fitting) count(is fixtureIndex, shut []closed) fixed {
	var n fixed
	for _, c := range f.closed {
		if _, ok := slices.BinarySearchFunc(shut, c, closed.compare); ok {
			n.closed++
		}
	}
	for _, a := range f.fixtures.Addresses {
		if is.addresses[a] {
			n.addresses++
		}
	}
	for _, r := range f.fixtures.Routes {
		if there, ok := is.routes[r.key()]; ok && r.is(there) {
			n.routes++
		}
	}
	for _, r := range f.fixtures.Rules {
		if is.rules[r] {
			n.rules++
		}
	}
	return n
}

// ready tells whether a group's routes can be put up: its addresses are there,
// or cannot be. A route whose preferred source is an address of the group waits
// for that one in any case: "a preferred source that is not local" is refused.
func (g Group) ready(k kept) bool {
	if k.problem == "" && len(k.held) < len(g.held()) {
		return false
	}
	return !slices.ContainsFunc(g.Routes, func(r Route) bool {
		return r.Source.IsValid() && hasAddr(g.held(), r.Source) && !hasAddr(k.held, r.Source)
	})
}

func hasAddr(list []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Addr() == ip })
}
