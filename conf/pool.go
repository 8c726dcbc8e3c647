package conf

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
)

// decodeVirtualServer decodes a block virtual_server and makes of it what the
// engine works with.
func decodeVirtualServer(d *decoder, b *block) any {
	v := virtualServerSchema.decode(d, b)
	v.name = b.label(0)
	v.pool.Name = v.name.text
	v.checkPolicy(d, b)
	v.makeServices(d, b)
	v.makeReals(d)
	v.named, v.checks, v.reals, v.sorry = nil, nil, nil, nil // the result is kept for long
	return &v
}

// checkPolicy checks what two arguments mean together.
func (v *virtualServer) checkPolicy(d *decoder, b *block) {
	if b.body.find("family") != nil && (v.fwmark == 0 || len(v.listens) > 0) {
		d.fail(b.where("family"), "family is for a fwmark without addresses: an address has its own")
	}
	if v.pool.Hysteresis >= v.pool.Quorum && v.pool.Hysteresis > 0 {
		d.fail(b.where("hysteresis"), "hysteresis %d: want less than the quorum, %d", v.pool.Hysteresis, v.pool.Quorum)
	}
	if v.onePacket && v.protocol != ipvsctl.UDP && v.fwmark == 0 {
		d.fail(b.where("one_packet"), "one_packet is for protocol \"udp\" and for a fwmark: connections of %s last", v.protocol)
	}
	if v.persistence.Engine != "" && v.protocol != ipvsctl.UDP && v.fwmark == 0 {
		d.fail(b.where("protocol"), "persistence engine %q is for protocol \"udp\" and for a fwmark", v.persistence.Engine)
	}
	if v.tunnel != nil && v.forward != ipvsctl.TUN && !slices.ContainsFunc(v.reals, func(r realServer) bool { return r.forward == ipvsctl.TUN }) {
		d.fail(v.tunnel.at, "tunnel is for forward = \"tun\"")
	}
	if v.scheduler == "mh" && v.pool.OnFailure == Remove {
		d.failHint(b.where("on_failure"), "A removed destination would give other clients other servers, too.",
			"on_failure \"remove\" does not go with scheduler \"mh\": want \"drain\"")
	}
}

// makeServices makes the kernel's services, without destinations: one for each
// address, or one for a firewall mark, which the packets to the addresses get.
func (v *virtualServer) makeServices(d *decoder, b *block) {
	v.serviceAt = b.where("fwmark")
	one, several := b.body.find("address") != nil, b.body.find("addresses") != nil
	switch {
	case one && several:
		d.fail(b.where("address"), "virtual_server: want address or addresses, not both")
	case !one && !several && v.fwmark == 0 && b.body.find("fwmark") == nil:
		d.fail(b.at, "virtual_server: want address, addresses or fwmark; got none of them")
	}
	service := ipvsctl.Service{Scheduler: v.scheduler, Flags: v.schedulerFlags(d), Persistence: v.persistence}
	if v.onePacket {
		service.Flags |= ipvsctl.OnePacket
	}
	if v.scheduler == "mh" {
		// A drained destination keeps its slots, whose clients want another one.
		service.Flags |= ipvsctl.MHFallback
	}
	addrs := v.addresses(d)
	if v.fwmark != 0 {
		service.ID = ipvsctl.ServiceID{FWMark: v.fwmark, Family: v.family}
		v.pool.Services = append(v.pool.Services, v.withPrefix(d, service))
		for _, addr := range addrs {
			v.pool.Marked = append(v.pool.Marked, marks.Target{Protocol: v.protocol, Addr: addr})
		}
		return
	}
	for _, addr := range addrs {
		service.ID = ipvsctl.ServiceID{Protocol: v.protocol, Addr: addr}
		v.pool.Services = append(v.pool.Services, v.withPrefix(d, service))
	}
}

// addresses returns the addresses that packets come to, each once and all of
// the family that becomes the virtual server's.
func (v *virtualServer) addresses(d *decoder) []netip.AddrPort {
	if v.fwmark == 0 || len(v.listens) > 0 {
		v.family = 0
	}
	seen := make(map[netip.AddrPort]bool, len(v.listens))
	addrs := make([]netip.AddrPort, 0, len(v.listens))
	for _, l := range v.listens {
		family := ipvsctl.FamilyOf(l.addr.Addr())
		switch {
		case seen[l.addr]:
			d.fail(l.at, "address %s is given twice", l.addr)
			continue
		case v.family == 0:
			v.family = family
		case v.family != family:
			d.fail(l.at, "address %s: want all addresses of a virtual server of one family", l.addr)
			continue
		}
		seen[l.addr] = true
		addrs = append(addrs, l.addr)
	}
	return addrs
}

// withPrefix fills in the persistence prefix, whose limit is the family's.
func (v *virtualServer) withPrefix(d *decoder, s ipvsctl.Service) ipvsctl.Service {
	if s.Persistence.Timeout == 0 {
		return s
	}
	whole := uint8(32)
	if s.ID.AddressFamily() == ipvsctl.IPv6 {
		whole = 128
	}
	if s.Persistence.Prefix > whole {
		d.fail(v.prefixAt, "prefix %d: want 1 to %d for this family", s.Persistence.Prefix, whole)
	}
	if s.Persistence.Prefix == 0 {
		s.Persistence.Prefix = whole
	}
	return s
}

// makeReals makes the real servers with their checks, and the sorry server.
func (v *virtualServer) makeReals(d *decoder) {
	shared := append(v.lookUp(d, v.named), v.checks...)
	seen := make(map[netip.AddrPort]bool, len(v.reals))
	v.pool.Reals = make([]RealServer, 0, len(v.reals))
	for i := range v.reals {
		r := &v.reals[i]
		forward := r.forward
		if forward == 0 {
			forward = v.forward
		}
		addr := v.destination(d, "real_server", r.addr, forward, r.at)
		if seen[addr] {
			d.fail(r.at, "real_server %s is given twice", addr)
			continue
		}
		seen[addr] = true
		if r.lower > r.upper {
			d.fail(r.lowerAt, "lower_threshold %d: want at most the upper_threshold, %d", r.lower, r.upper)
		}
		real := RealServer{Destination: ipvsctl.Destination{
			Addr: addr, Forward: forward, Weight: r.weight, Upper: r.upper, Lower: r.lower,
			Tunnel: v.tunnelOf(d, r.tunnel, forward),
		}, Hooks: orElse(r.hooks, v.realHooks)}
		for _, name := range r.named {
			if slices.ContainsFunc(v.named, func(l label) bool { return l.text == name.text }) {
				d.fail(name.at, "check %q is the virtual server's already", name.text)
			}
		}
		v.useChecks(d, &real, r.at, shared, v.lookUp(d, r.named), r.checks)
		v.pool.Reals = append(v.pool.Reals, real)
	}
	if v.sorry != nil {
		v.makeSorry(d, seen)
	}
}

// makeSorry makes the sorry server; seen are the real servers.
func (v *virtualServer) makeSorry(d *decoder, seen map[netip.AddrPort]bool) {
	s := v.sorry
	addr := v.destination(d, "sorry_server", s.addr, v.forward, s.at)
	if seen[addr] {
		d.fail(s.at, "sorry_server %s is a real server, too", addr)
	}
	sorry := &RealServer{Destination: ipvsctl.Destination{Addr: addr, Forward: v.forward, Weight: 1, Tunnel: v.tunnelOf(d, nil, v.forward)}}
	v.useChecks(d, sorry, s.at, v.lookUp(d, s.named), s.checks)
	for _, c := range sorry.Checks {
		if checks.Weighs(c.Monitor.Probe) {
			d.fail(s.at, "check %q of the sorry_server may ask for a weight, which a sorry server has not", c.Name)
		}
	}
	v.pool.Sorry, v.pool.SorryDrain = sorry, s.drain
}

// useChecks gives a real server its checks.
func (v *virtualServer) useChecks(d *decoder, real *RealServer, at span, lists ...[]placedCheck) {
	t := probeTarget{virtualServer: v.pool.Name, fwmark: v.fwmark, realServer: real.Destination.Addr, weight: real.Destination.Weight, destination: real.Destination}
	for _, l := range v.listens {
		t.virtual = append(t.virtual, l.addr)
	}
	if len(v.listens) > 0 {
		t.virtualAddress = v.listens[0].addr.String()
	}
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	if n == 0 {
		return
	}
	real.Checks = make([]Check, 0, n)
	for _, list := range lists {
		for _, c := range list {
			used := c.use(d, at, t)
			if v.scheduler == "mh" && checks.Weighs(used.Monitor.Probe) {
				d.fail(c.at, "check %q may ask for another weight, which scheduler \"mh\" cannot have: each change moves connections between the real servers", c.name)
			}
			if probe, ok := used.Monitor.Probe.(checks.BFD); ok {
				v.sessions = append(v.sessions, sessionUse{probe, c.at})
			}
			if used.Way != nil {
				v.throughAt = c.at
			}
			if mark := c.target.route.Mark; mark != 0 {
				v.marks = append(v.marks, markUse{mark, c.at})
			}
			if free := freeName(real.Checks, used.Name); free != used.Name {
				used.Name, used.Shared = free, used.Name
			}
			real.Checks = append(real.Checks, used)
		}
	}
}

// freeName returns name, or "name-2" and so on if another check of the real server
// has it: events, status and metrics tell checks apart by their names.
func freeName(taken []Check, name string) string {
	free := name
	for n := 2; slices.ContainsFunc(taken, func(c Check) bool { return c.Name == free }); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// destination returns the address of a destination with the port that the
// kernel sends to, and checks that the kernel can do it.
func (v *virtualServer) destination(d *decoder, what string, addr netip.AddrPort, forward ipvsctl.Forward, at span) netip.AddrPort {
	if v.family != 0 && ipvsctl.FamilyOf(addr.Addr()) != v.family {
		if v.mixed = at; forward != ipvsctl.TUN {
			d.fail(at, "%s %s: another address family than the virtual server's needs forward = \"tun\"", what, addr.Addr())
		}
	}
	if addr.Port() == 0 {
		return netip.AddrPortFrom(addr.Addr(), v.port())
	}
	if forward == ipvsctl.NAT {
		return addr
	}
	// Only address translation changes ports (ip_vs_dr_xmit and
	// ip_vs_tunnel_xmit send the packet as it came).
	for _, l := range v.listens {
		if l.addr.Port() != addr.Port() {
			d.fail(at, "%s %s: forward = %q keeps the port, %d: want the same, or none", what, addr, forward, l.addr.Port())
			break
		}
	}
	return addr
}

// port returns the port that all services have, or 0: the kernel then sends
// each connection to the port that it came to (ip_vs_schedule).
func (v *virtualServer) port() uint16 {
	if len(v.listens) == 0 {
		return 0
	}
	port := v.listens[0].addr.Port()
	for _, l := range v.listens {
		if l.addr.Port() != port {
			return 0
		}
	}
	return port
}

// lookUp returns the named checks.
func (v *virtualServer) lookUp(d *decoder, names []label) []placedCheck {
	if len(names) == 0 {
		return nil
	}
	d.usesEnv = true
	found := make([]placedCheck, 0, len(names))
	for _, name := range names {
		c := d.env.checks[name.text]
		if c == nil {
			d.failHint(name.at, suggest(name.text, d.env.checkNames), "no check is named %q", name.text)
			continue
		}
		found = append(found, placedCheck{c, name.at})
	}
	return found
}
