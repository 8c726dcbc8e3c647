package conf

import (
	"fmt"
	"net/netip"

	"github.com/lvs-director/director/ipvsctl"
)

// The marks of the ways of checks are ProbeMarks of IPVS and so many in all.
const WayMarks = 1 << 16

// The ways on which one address and port is asked each have source ports of
// their own: WayPorts from FirstWayPort on. These are the ports that Linux by
// default gives to clients, 32768 to 60999, so that no service is among them.
const (
	FirstWayPort = 32768
	WayPorts     = 64
	WaySlots     = (60999 + 1 - FirstWayPort) / WayPorts
)

// Way is a path through IPVS to one real server or sorry server, for checks that go as the
// packets of clients do (through = "forwarding"): a service for a mark, which
// has this destination alone.
type Way struct {
	Name        string         // identity: "ipv4 dr 192.0.2.21"
	Family      ipvsctl.Family // of the virtual address
	Destination ipvsctl.Destination
	Asks        netip.AddrPort // the virtual address that the check asks
}

// newWay returns the way to a destination.
func newWay(asks netip.AddrPort, to ipvsctl.Destination) *Way {
	to.Weight, to.Upper, to.Lower = 1, 0, 0
	if to.Forward != ipvsctl.NAT {
		to.Addr = netip.AddrPortFrom(to.Addr.Addr(), 0) // the packet keeps its port
	}
	w := &Way{Family: ipvsctl.FamilyOf(asks.Addr()), Destination: to, Asks: asks}
	family, how, where := "ipv4", to.Forward.String(), to.Addr.String()
	if w.Family == ipvsctl.IPv6 {
		family = "ipv6"
	}
	if to.Addr.Port() == 0 {
		where = to.Addr.Addr().String()
	}
	if to.Forward == ipvsctl.TUN {
		how = [...]string{ipvsctl.IPIP: "ipip", ipvsctl.GUE: "gue", ipvsctl.GRE: "gre"}[to.Tunnel.Type]
		if to.Tunnel.Port != 0 {
			how += fmt.Sprintf(" port %d", to.Tunnel.Port)
		}
		if to.Tunnel.Flags&ipvsctl.TunnelChecksum != 0 {
			how += " checksum"
		}
		if to.Tunnel.Flags&ipvsctl.TunnelRemoteChecksum != 0 {
			how += " remote_checksum"
		}
	}
	w.Name = family + " " + how + " " + where
	return w
}

// needsAcceptLocal tells whether a director that has the virtual address drops
// the answers unless it accepts packets from addresses of its own: those of a
// server that answers by itself come from the virtual address. Only IPv4 looks
// at that (fib_validate_source).
func (w *Way) needsAcceptLocal() bool {
	return w.Family == ipvsctl.IPv4 && w.Destination.Forward != ipvsctl.NAT
}

// throughKey chooses the way of a check.
func throughKey[T any](field func(*T) *bool) key[T] {
	return choice("through", []word[bool]{{"direct", false}, {"forwarding", true}}, field,
		"`direct`: the real server itself is asked. `forwarding`: the virtual address is, and the packets take the way to the real server that those of clients take")
}

// checkTarget checks what two arguments of a target mean together.
func (t *target) check(d *decoder, b *block) {
	if !t.through {
		return
	}
	if t.route.Mark != 0 {
		d.fail(b.where("mark"), "mark is for through = \"direct\": Director marks what goes through forwarding")
	}
	if t.route.Interface != "" {
		d.fail(b.where("interface"), "interface is for through = \"direct\": forwarding decides where the packets leave")
	}
}

// forward makes the target of a check that goes through forwarding, and tells
// whether there is one.
func (c *check) forward(d *decoder, at span, t *probeTarget) *Way {
	if len(t.virtual) == 0 {
		d.fail(at, "check %q goes through forwarding to the virtual address: a virtual server of a fwmark without addresses has none", c.name)
		return nil
	}
	asks := t.virtual[0]
	if addr := c.target.address; addr.IsValid() {
		found := false
		for _, v := range t.virtual {
			if v.Addr() == addr && !found {
				asks, found = v, true
			}
		}
		if !found {
			d.fail(at, "check %q goes through forwarding to %s: want an address of the virtual server", c.name, addr)
		}
	}
	to := t.destination
	if port := c.target.port; port != 0 && port != asks.Port() {
		if to.Forward == ipvsctl.NAT && to.Addr.Port() != 0 {
			d.fail(at, "check %q goes through forwarding to port %d: with forward = \"nat\" want the virtual server's, %d, which is translated to the real server's", c.name, port, asks.Port())
		}
		asks = netip.AddrPortFrom(asks.Addr(), port)
	}
	way := newWay(asks, to)
	t.addr, t.route.Through = asks, way.Name
	switch src := t.route.Source; {
	case src.IsValid() && src.Is4() != asks.Addr().Is4():
		d.fail(at, "check %q asks %s from %s: want addresses of one family", c.name, asks.Addr(), src)
	case src.IsValid():
	case to.Addr.Addr().Is4() != asks.Addr().Is4():
		d.failHint(at, "The address from which this machine reaches the real server is of another family than the virtual address.",
			"check %q goes through forwarding to %s: want the source to ask from", c.name, asks.Addr())
	default:
		t.route.Towards = to.Addr.Addr()
	}
	return way
}

// resolveWays checks what the ways of a virtual server's checks need of the rest
// of the configuration.
func (a *assembly) resolveWays(p *piece, v *virtualServer) {
	c := &a.config.IPVS
	const acceptLocal, backupOnly = "net.ipv4.conf.all.accept_local", "net.ipv4.vs.backup_only"
	local := false
	for r := range v.pool.Servers() {
		for _, ch := range r.Checks {
			if ch.Way == nil {
				continue
			}
			local = local || ch.Way.needsAcceptLocal()
			if a.ways[ch.Way.Asks] == nil {
				a.ways[ch.Way.Asks] = map[string]bool{}
			}
			a.ways[ch.Way.Asks][ch.Way.Name] = true
			if n := len(a.ways[ch.Way.Asks]); n == WaySlots+1 {
				a.fail(p, v.throughAt, "", "checks go through forwarding to %s on more than %d ways: want at most %d real servers", ch.Way.Asks, WaySlots, WaySlots)
			}
		}
	}
	if local && c.Settings[acceptLocal] != "1" {
		a.fail(p, v.throughAt, "With \"dr\" and \"tun\" the answers to checks come from the virtual address. A director that has the address itself drops them otherwise, and would take all real servers for dead once it is master.",
			"checks through forwarding need accept_local = true in ipvs { sysctl {} }")
	}
	if v.throughAt != (span{}) && c.Settings[backupOnly] == "1" {
		a.fail(p, v.throughAt, "A backup would send its checks past IPVS.", "checks through forwarding do not go together with backup_only = true in ipvs { sysctl {} }")
	}
}

// checkWayMarks refuses marks of others among those of the ways.
func (a *assembly) checkWayMarks(p *piece, v *virtualServer) {
	first := a.config.IPVS.ProbeMarks
	refuse := func(what string, mark uint32, at span) {
		if mark >= first && mark-first < WayMarks {
			a.fail(p, at, "Choose another mark, or other probe_marks in ipvs.", "%s %d is among the marks of checks through forwarding, %d to %d", what, mark, first, first+WayMarks-1)
		}
	}
	if !a.through {
		return
	}
	refuse("fwmark", v.fwmark, v.serviceAt)
	for _, m := range v.marks {
		refuse("mark", m.mark, m.at)
	}
}

// markUse is the mark of a check, and where it is used.
type markUse struct {
	mark uint32
	at   span
}
