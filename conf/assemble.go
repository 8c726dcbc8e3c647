package conf

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// maxSocket is the longest path of a unix socket (sun_path, without its zero).
const maxSocket = 107

// vip is an address that only one may have. A link-local one of IPv6 is on its link
// alone (RFC 4291, section 2.5.6): on each it may be another's.
type vip struct {
	addr netip.Addr
	link string // of a link-local one
}

func vipOf(addr netip.Addr, link string) vip {
	if !addr.Is6() || !addr.IsLinkLocalUnicast() {
		link = ""
	}
	return vip{addr, link}
}

// assembly puts the pieces of a configuration together and checks what no
// piece can know by itself.
type assembly struct {
	config   Config
	problems *Problems
	seen     map[string]where // kind and name of what may be there only once

	services  map[ipvsctl.ServiceID]where
	routers   map[router]where
	vips      map[vip]where
	routes    map[routeID]where
	rules     map[vrrp.Rule]where
	neighbors map[netip.Addr][]BFD               // that BFD sessions lead to
	ways      map[netip.AddrPort]map[string]bool // on which an address is asked
	through   bool                               // some check goes through forwarding
	groups    map[string]*group
	names     struct{ groups, servers, sessions []string }
}

// where is a place in a piece, and what stands there.
type where struct {
	piece *piece
	at    span
	name  string
}

// router is what a VRID must be unique in.
type router struct {
	iface string
	v6    bool
	id    uint8
}

// assemble puts the decoded pieces together. What is wrong is added to problems.
func assemble(pieces []*piece, problems *Problems) *Config {
	a := &assembly{
		config:    defaultGlobal(),
		problems:  problems,
		seen:      map[string]where{},
		services:  map[ipvsctl.ServiceID]where{},
		routers:   map[router]where{},
		vips:      map[vip]where{},
		routes:    map[routeID]where{},
		rules:     map[vrrp.Rule]where{},
		neighbors: map[netip.Addr][]BFD{},
		ways:      map[netip.AddrPort]map[string]bool{},
		groups:    map[string]*group{},
	}
	a.config.Log, a.config.API, a.config.IPVS = defaultLog(), defaultAPI(), defaultIPVS()
	for _, p := range pieces {
		problems.list = append(problems.list, p.diags...)
		if p.result == nil {
			continue
		}
		for _, wrong := range p.result.problems {
			problems.list = append(problems.list, p.source.diagnostic(p.start, wrong))
		}
		a.add(p)
	}
	for _, p := range pieces {
		if p.result != nil {
			a.resolve(p)
		}
	}
	a.finish()
	return &a.config
}

// fail reports a problem of p.
func (a *assembly) fail(p *piece, at span, hint, format string, args ...any) {
	a.problems.list = append(a.problems.list, p.source.diagnostic(p.start, problem{at, fmt.Sprintf(format, args...), hint}))
}

// place returns where w is, for a hint.
func (w where) place() string {
	return "First at " + place(*w.piece.source.diagnostic(w.piece.start, problem{at: w.at}).Subject) + "."
}

// once reports the second thing of a kind and a name, which may have none.
func (a *assembly) once(p *piece, kind string, name label) {
	id := kind + " " + name.text
	if first, twice := a.seen[id]; twice {
		if name.text == "" {
			a.fail(p, name.at, first.place(), "%s is given twice", kind)
		} else {
			a.fail(p, name.at, first.place(), "%s %q is given twice", kind, name.text)
		}
		return
	}
	a.seen[id] = where{piece: p, at: name.at}
}

// named reports the second thing of a kind and a name.
func (a *assembly) named(p *piece, kind string, name label) {
	if name.text != "" { // which has been reported
		a.once(p, kind, name)
	}
}

// add takes up what p says.
func (a *assembly) add(p *piece) {
	if kinds[p.kind].once {
		a.once(p, p.kind, label{at: span{0, int32(len(p.kind))}})
	}
	switch v := p.result.value.(type) {
	case *arg:
		if v.value.kind != nullValue {
			a.once(p, v.name, label{at: v.at})
		}
		d := &decoder{}
		globalSchema.arg(d, &body{args: []arg{*v}}, 0, &a.config)
		for _, wrong := range d.problems {
			a.fail(p, wrong.at, wrong.detail, "%s", wrong.summary)
		}
	case *Log:
		a.config.Log = *v
	case *API:
		a.config.API = *v
	case *IPVS:
		a.config.IPVS = *v
	case *check:
		if v != nil {
			a.named(p, "check", v.at)
		}
	case *group:
		a.addGroup(p, v)
	case *session:
		a.addSession(p, v)
	case *notifyFIFO:
		a.addFIFO(p, v)
	case *static:
		a.addFixtures(p, &v.fixtures, "static")
		s := &a.config.VRRP.Static
		s.Addresses = append(s.Addresses, v.Addresses...)
		s.Routes, s.Rules = append(s.Routes, v.Routes...), append(s.Rules, v.Rules...)
	case *syncGroup:
		a.named(p, "vrrp_sync_group", v.name)
		a.config.VRRP.SyncGroups = append(a.config.VRRP.SyncGroups, v.SyncGroup)
		if len(v.hooks) > 0 {
			if a.config.SyncGroupHooks == nil {
				a.config.SyncGroupHooks = map[string]map[string]Hook{}
			}
			a.config.SyncGroupHooks[v.Name] = v.hooks
		}
	case *virtualServer:
		a.addVirtualServer(p, v)
	}
}

// addGroup takes up a VRRP group.
func (a *assembly) addGroup(p *piece, g *group) {
	a.named(p, "vrrp", g.name)
	a.groups[g.Name] = g
	a.names.groups = append(a.names.groups, g.Name)
	a.config.VRRP.Groups = append(a.config.VRRP.Groups, g.Group)
	a.config.Groups = append(a.config.Groups, g.policy)
	if g.RouterID != 0 && len(g.Addresses) > 0 {
		id := router{g.Interface, g.Addresses[0].Addr().Is6(), g.RouterID}
		if first, twice := a.routers[id]; twice {
			a.fail(p, g.routerAt, first.place(), "virtual_router_id %d is used twice on %s: group %q has it", g.RouterID, g.Interface, first.name)
		} else {
			a.routers[id] = where{p, g.routerAt, g.Name}
		}
	}
	for _, prefix := range append(g.Addresses[:len(g.Addresses):len(g.Addresses)], g.Excluded...) {
		id := vipOf(prefix.Addr(), g.Interface)
		if first, twice := a.vips[id]; twice {
			a.fail(p, g.addressesAt, first.place(), "address %s is in two groups: %q has it", prefix.Addr(), first.name)
		} else {
			a.vips[id] = where{p, g.addressesAt, g.Name}
		}
	}
	a.addFixtures(p, &g.fixtures, "group "+quote(g.Name))
	if g.policy.Sync != nil {
		a.once(p, "connection_sync", label{at: g.syncAt})
	}
}

// addVirtualServer takes up a virtual server.
func (a *assembly) addVirtualServer(p *piece, v *virtualServer) {
	a.named(p, "virtual_server", v.name)
	a.names.servers = append(a.names.servers, v.name.text)
	a.config.VirtualServers = append(a.config.VirtualServers, &v.pool)
	a.through = a.through || v.throughAt != (span{})
	at := func(i int) span { // of the i-th address
		if i < len(v.listens) {
			return v.listens[i].at
		}
		return v.serviceAt
	}
	for i := range v.pool.Services {
		if id := v.pool.Services[i].ID; id.FWMark != 0 {
			a.addService(p, v, id, v.serviceAt)
		} else {
			a.addService(p, v, id, at(i))
		}
	}
	for i, t := range v.pool.Marked {
		a.addService(p, v, ipvsctl.ServiceID{Protocol: t.Protocol, Addr: t.Addr}, at(i))
	}
}

// addService takes up what packets of a virtual server go to.
func (a *assembly) addService(p *piece, v *virtualServer, id ipvsctl.ServiceID, at span) {
	if first, twice := a.services[id]; twice && first.piece != p {
		a.fail(p, at, first.place(), "%s belongs to two virtual servers: %q has it", id, first.name)
	} else {
		a.services[id] = where{p, at, v.name.text}
	}
}

// resolve checks the names that p uses.
func (a *assembly) resolve(p *piece) {
	switch v := p.result.value.(type) {
	case *group:
		for _, name := range v.tracked {
			if _, ok := a.seen["virtual_server "+name.text]; !ok {
				a.fail(p, name.at, suggest(name.text, a.names.servers), "no virtual server is named %q", name.text)
			}
		}
		for _, name := range v.sessions {
			a.resolveSessionName(p, name)
		}
	case *syncGroup:
		for i, name := range v.Groups {
			if a.groups[name] == nil {
				a.fail(p, v.members[i], suggest(name, a.names.groups), "no vrrp group is named %q", name)
				continue
			}
			member := "member of a vrrp_sync_group, group " + name
			if first, twice := a.seen[member]; twice {
				a.fail(p, v.members[i], first.place(), "group %q is in a vrrp_sync_group already", name)
			}
			a.seen[member] = where{piece: p, at: v.members[i]}
		}
		a.resolveTracks(v.Groups)
	case *virtualServer:
		// The kernel refuses one while it has the other (ip_vs_genl_set_cmd).
		if sync, ok := a.seen["connection_sync "]; ok && v.mixed != (span{}) {
			a.fail(p, v.mixed, sync.place(), "real servers of another address family do not go together with connection_sync")
		}
		for _, use := range v.sessions {
			a.resolveSession(p, use)
		}
		a.resolveWays(p, v)
		a.checkWayMarks(p, v)
	}
}

// finish fills in the defaults that depend on other values.
func (a *assembly) finish() {
	c := &a.config
	c.Node = cmp.Or(c.Node, hostName())
	c.API.Socket = cmp.Or(c.API.Socket, socketIn(c.RuntimeDir))
	if n := len(c.API.Socket); n > maxSocket {
		for _, name := range []string{"api", "runtime_dir"} {
			if w, ok := a.seen[name+" "]; ok {
				a.fail(w.piece, w.at, "", "the path of the socket has %d bytes: want at most %d", n, maxSocket)
				break
			}
		}
	}
}
