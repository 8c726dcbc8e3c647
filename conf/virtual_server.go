package conf

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// virtualServer is a block virtual_server as decoded, on its way to a VirtualServer.
type virtualServer struct {
	name        label
	listens     []listen
	fwmark      uint32
	serviceAt   span
	mixed       span // of a real server of another family than the service
	family      ipvsctl.Family
	protocol    ipvsctl.Protocol
	scheduler   string
	forward     ipvsctl.Forward
	flags       []label // of the scheduler
	onePacket   bool
	tunnel      *tunnel
	persistence ipvsctl.Persistence
	prefixAt    span
	sorry       *sorryServer
	named       []label // names of checks
	checks      []placedCheck
	reals       []realServer
	throughAt   span         // of a check that goes through forwarding
	marks       []markUse    // of its checks
	sessions    []sessionUse // that its checks follow
	realHooks   map[string]Hook
	pool        VirtualServer
}

// placedCheck is a check and where it stands.
type placedCheck struct {
	*check
	at span
}

// sorryServer is an argument or a block sorry_server as decoded.
type sorryServer struct {
	addr   netip.AddrPort
	at     span
	drain  time.Duration
	named  []label
	checks []placedCheck
}

// realServer is a block real_server as decoded.
type realServer struct {
	addr    netip.AddrPort
	at      span
	weight  uint32
	forward ipvsctl.Forward // 0 is the virtual server's
	tunnel  *tunnel         // nil is the virtual server's
	upper   uint32
	lower   uint32
	lowerAt span
	named   []label
	checks  []placedCheck
	hooks   map[string]Hook
}

var virtualServerSchema = schema[virtualServer]{
	kind:   "virtual_server",
	labels: []string{"a name"},
	doc:    "One pool of real servers behind one address, several addresses or a firewall mark.",
	start:  defaultVirtualServer,
	keys: []key[virtualServer]{
		addressKey(),
		list("addresses", "IP:PORT", addListen, "the same for several that share the real servers"),
		number("fwmark", 1, 1<<32-1, func(v *virtualServer) *uint32 { return &v.fwmark },
			"one service for packets with this mark. Without addresses the firewall marks them; with addresses Director does, by nftables: many addresses and ports then cost one service").by("none"),
		choice("family", []word[ipvsctl.Family]{{"ipv4", ipvsctl.IPv4}, {"ipv6", ipvsctl.IPv6}}, func(v *virtualServer) *ipvsctl.Family { return &v.family },
			"address family of a `fwmark` without addresses"),
		choice("protocol", []word[ipvsctl.Protocol]{{"tcp", ipvsctl.TCP}, {"udp", ipvsctl.UDP}, {"sctp", ipvsctl.SCTP}}, func(v *virtualServer) *ipvsctl.Protocol { return &v.protocol },
			"transport protocol of the addresses"),
		choice("scheduler", same("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"), func(v *virtualServer) *string { return &v.scheduler },
			"how the kernel chooses a real server (ipvsadm(8))"),
		schedulerFlagsKey(),
		truth("one_packet", func(v *virtualServer) *bool { return &v.onePacket },
			"each packet is a connection of its own; for `udp` and `fwmark`"),
		choice("forward", forwards, func(v *virtualServer) *ipvsctl.Forward { return &v.forward },
			"how packets reach the real servers: address translation, direct routing, tunnel"),
		checkNames(func(v *virtualServer) *[]label { return &v.named }, "named checks that every real server must pass"),
		choice("on_failure", []word[OnFailure]{{"drain", Drain}, {"remove", Remove}}, func(v *virtualServer) *OnFailure { return &v.pool.OnFailure },
			"what becomes of a real server that is down: weight 0, so that its connections live, or out of the table"),
		choice("initial", []word[bool]{{"down", false}, {"up", true}}, func(v *virtualServer) *bool { return &v.pool.InitialUp },
			"how a real server that is new is treated before its first verdict"),
		number("quorum", 1, 1<<31-1, func(v *virtualServer) *int { return &v.pool.Quorum },
			"the virtual server is up while real servers of so much weight are up"),
		number("hysteresis", 0, 1<<31-1, func(v *virtualServer) *int { return &v.pool.Hysteresis },
			"it comes up at `quorum` + `hysteresis` and goes down below `quorum` - `hysteresis`"),
		duration("slow_start", 0, time.Hour, func(v *virtualServer) *time.Duration { return &v.pool.SlowStart },
			"over so long the weight of a real server that has come up grows to its full"),
		percent("panic_threshold", func(v *virtualServer) *int { return &v.pool.PanicThreshold },
			"when all but a smaller share of the real servers are down, those that were up last are kept whatever their checks say; 0% is never"),
		sorryKey(),
		duration("drain_timeout", 0, 7*24*time.Hour, func(v *virtualServer) *time.Duration { return &v.pool.DrainTimeout },
			"how long a real server that was taken out of the configuration may keep its connections, with weight 0; counted anew by a restart"),
	},
	blocks: []inner[virtualServer]{
		nest(&persistenceSchema, true, func(_ *decoder, b *block, v *virtualServer, p ipvsctl.Persistence) {
			v.persistence, v.prefixAt = p, b.where("prefix")
		}),
		choose("tunnel", tunnelVariants, func(d *decoder, b *block, v *virtualServer, t tunnel) {
			setTunnel(d, b, &v.tunnel, t)
		}),
		choose("check", checkVariants, func(_ *decoder, b *block, v *virtualServer, c *check) {
			v.checks = append(v.checks, placedCheck{c, b.at})
		}),
		nest(&serverHookSchema, false, func(d *decoder, b *block, v *virtualServer, h hook) {
			addServerHook(d, b.label(0), v, h)
		}),
		nest(&sorryServerSchema, true, func(d *decoder, b *block, v *virtualServer, s sorryServer) {
			setSorry(d, v, s, b.label(0))
		}),
		nest(&realServerSchema, false, addRealServer),
	},
}

var forwards = []word[ipvsctl.Forward]{{"nat", ipvsctl.NAT}, {"dr", ipvsctl.DR}, {"tun", ipvsctl.TUN}}

var persistenceSchema = schema[ipvsctl.Persistence]{
	kind:  "persistence",
	doc:   "Holds a client to its real server.",
	start: defaultPersistence,
	keys: []key[ipvsctl.Persistence]{
		seconds("timeout", time.Second, maxTimeout, func(p *ipvsctl.Persistence) *time.Duration { return &p.Timeout },
			"after so long without a connection the client is forgotten"),
		number("prefix", 1, 128, func(p *ipvsctl.Persistence) *uint8 { return &p.Prefix },
			"clients whose addresses agree in so many bits count as one; at most 32 for IPv4").by("the whole address"),
		choice("engine", same("sip"), func(p *ipvsctl.Persistence) *string { return &p.Engine },
			"what a client is known by besides its address: `sip` is the Call-ID of SIP over UDP").by("none"),
	},
}

var realServerSchema = schema[realServer]{
	kind:   "real_server",
	labels: []string{"IP:PORT or IP"},
	doc:    "A real server. Without a port it gets connections on the port of the virtual server.",
	start:  defaultRealServer,
	keys: []key[realServer]{
		number("weight", 0, 65535, func(r *realServer) *uint32 { return &r.weight },
			"its share; 0 gets no new connections"),
		choice("forward", forwards, func(r *realServer) *ipvsctl.Forward { return &r.forward },
			"how packets reach it").by("the virtual server's"),
		number("upper_threshold", 0, 1<<32-1, func(r *realServer) *uint32 { return &r.upper },
			"it gets no new connections once it has so many; 0 is no limit"),
		number("lower_threshold", 0, 1<<32-1, func(r *realServer) *uint32 { return &r.lower },
			"it gets them again when it has fewer than so many; 0 is three quarters of `upper_threshold`"),
		checkNames(func(r *realServer) *[]label { return &r.named }, "named checks that it must pass too"),
	},
	blocks: []inner[realServer]{
		choose("tunnel", tunnelVariants, func(d *decoder, b *block, r *realServer, t tunnel) {
			setTunnel(d, b, &r.tunnel, t)
		}),
		choose("check", checkVariants, func(_ *decoder, b *block, r *realServer, c *check) {
			r.checks = append(r.checks, placedCheck{c, b.at})
		}),
		nest(&realServerHookSchema, false, func(d *decoder, b *block, r *realServer, h hook) {
			addHook(d, b.label(0), &r.hooks, h, realStates...)
		}),
	},
}

// addRealServer adds the real server of block b.
func addRealServer(d *decoder, b *block, v *virtualServer, r realServer) {
	l := b.label(0)
	addr, wrong := parseServer(l.text, true)
	if wrong != "" {
		d.fail(l.at, "real_server %q: %s", l.text, wrong)
		return
	}
	r.addr, r.at, r.lowerAt = addr, l.at, b.where("lower_threshold")
	v.reals = append(v.reals, r)
}

// sorryKey is the address of the sorry server, when that is all to be said of it.
func sorryKey() key[virtualServer] {
	return key[virtualServer]{
		name: "sorry_server", kind: "IP:PORT", doc: "gets the connections while the virtual server is down: the block of that name without anything in it",
		set: func(d *decoder, val value, v *virtualServer) {
			if val.kind != textValue {
				d.want("sorry_server", val, "IP:PORT in quotes")
				return
			}
			setSorry(d, v, defaultSorryServer(), label{val.text, val.at})
		},
		show: func(*virtualServer) string { return "none" },
	}
}

var sorryServerSchema = schema[sorryServer]{
	kind:   "sorry_server",
	labels: []string{"IP:PORT or IP"},
	doc: "Gets the connections while the virtual server is down, with the `forward` and the `tunnel` of the virtual server. " +
		"While its own checks say that it is down, too, the real servers that are up serve although they are too few.",
	start: defaultSorryServer,
	keys: []key[sorryServer]{
		duration("drain_timeout", 0, 7*24*time.Hour, func(s *sorryServer) *time.Duration { return &s.drain },
			"how long it may keep its connections, with weight 0, when the virtual server is up again"),
		checkNames(func(s *sorryServer) *[]label { return &s.named }, "named checks that it must pass"),
	},
	blocks: []inner[sorryServer]{
		choose("check", checkVariants, func(_ *decoder, b *block, s *sorryServer, c *check) {
			s.checks = append(s.checks, placedCheck{c, b.at})
		}),
	},
}

// setSorry makes s, which is at the address that l names, the sorry server.
func setSorry(d *decoder, v *virtualServer, s sorryServer, l label) {
	addr, wrong := parseServer(l.text, true)
	switch {
	case wrong != "":
		d.fail(l.at, "sorry_server %q: %s", l.text, wrong)
		return
	case v.sorry != nil:
		d.fail(l.at, "sorry_server %q: there is one already, %s", l.text, v.sorry.addr)
		return
	}
	s.addr, s.at = addr, l.at
	v.sorry = &s
}

// checkNames is a list of names of checks.
func checkNames[T any](field func(*T) *[]label, doc string) key[T] {
	return list("checks", "names", func(d *decoder, v value, to *T) {
		if v.kind != textValue {
			d.want("checks", v, "the name of a check")
			return
		}
		names := field(to)
		if slices.ContainsFunc(*names, func(l label) bool { return l.text == v.text }) {
			d.fail(v.at, "check %q is given twice", v.text)
			return
		}
		*names = append(*names, label{v.text, v.at})
	}, doc)
}
