package conf

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvs-director/director/checks"
)

// networkCheck is a block check as decoded whose probe, a P, connects to a port.
type networkCheck[P any] struct {
	target
	monitor checks.Monitor
	probe   P
}

// networkVariant makes such a kind of check. To what s says come the arguments
// of the target and of the schedule. start has the probe's defaults; verify,
// which may be nil, checks what two arguments mean together; aim gives a copy
// of the probe its target.
func networkVariant[P any](s schema[networkCheck[P]], start P, verify func(*decoder, *block, *networkCheck[P]), aim func(P, probeTarget, checks.Route) checks.Probe) variant[*check] {
	s.start = func() networkCheck[P] { return networkCheck[P]{monitor: defaultSchedule(), probe: start} }
	s.keys = append(slices.Clip(s.keys), targetKeys(func(c *networkCheck[P]) *target { return &c.target })...)
	return checkVariant(s,
		func(c *networkCheck[P]) *checks.Monitor { return &c.monitor },
		func(d *decoder, b *block, c *networkCheck[P]) *check {
			if verify != nil {
				verify(d, b, c)
			}
			c.target.check(d, b)
			return &check{target: c.target, probe: func(t probeTarget) checks.Probe { return aim(c.probe, t, t.route) }}
		})
}

// targetKeys are the arguments of checks that connect to a port.
func targetKeys[T any](field func(*T) *target) []key[T] {
	keys := []key[T]{
		addressToAsk(func(t *T) *netip.Addr { return &field(t).address }),
		number("port", 1, 65535, func(t *T) *uint16 { return &field(t).port },
			"on which port").by("the real server's"),
		addressToAskFrom(func(t *T) *netip.Addr { return &field(t).route.Source }),
		checkedText("interface", "string", func(t *T) *string { return &field(t).route.Interface }, checkInterface,
			"network interface to ask through").by("as the kernel routes"),
		number("mark", 1, 1<<32-1, func(t *T) *uint32 { return &field(t).route.Mark },
			"firewall mark of the packets, for policy routing").by("none"),
		throughKey(func(t *T) *bool { return &field(t).through }),
	}
	for i := range keys {
		keys[i].shared = "Target"
	}
	return keys
}

func addressToAsk[T any](field func(*T) *netip.Addr) key[T] {
	return key[T]{
		name: "address", kind: "IP", doc: "whom to ask",
		set:  func(d *decoder, v value, to *T) { *field(to) = d.addr("address", v) },
		show: func(*T) string { return "the real server's" },
	}
}

func addressToAskFrom[T any](field func(*T) *netip.Addr) key[T] {
	return key[T]{
		name: "source", kind: "IP", doc: "address to ask from",
		set:  func(d *decoder, v value, to *T) { *field(to) = d.addr("source", v) },
		show: func(*T) string { return "as the kernel routes" },
	}
}

// expectKeys are what an answer must be like.
func expectKeys[T any](of string, field func(*T) *checks.Expect) []key[T] {
	return []key[T]{
		text("expect", func(t *T) *string { return &field(t).Contains },
			"text that "+of+" must hold").by("anything"),
		checkedText("expect_regex", "regular expression", func(t *T) *string { return &field(t).Matches }, checkRegex,
			"regular expression (RE2) that "+of+" must match; `^` and `$` stand for the ends of its lines").by("anything"),
	}
}

var tcpVariant = networkVariant(
	schema[networkCheck[checks.TCP]]{
		kind: "tcp",
		doc:  "Up when a TCP connection is accepted and, where there are steps, each is answered as expected.",
		keys: []key[networkCheck[checks.TCP]]{
			proxyKey(func(c *networkCheck[checks.TCP]) *checks.Proxy { return &c.probe.Proxy }),
		},
		blocks: []inner[networkCheck[checks.TCP]]{
			optionalTLS(func(c *networkCheck[checks.TCP]) **checks.TLS { return &c.probe.TLS }),
			nest(&stepSchema, false, func(_ *decoder, _ *block, c *networkCheck[checks.TCP], s checks.Step) {
				c.probe.Steps = append(c.probe.Steps, s)
			}),
		},
	},
	checks.TCP{}, nil,
	func(p checks.TCP, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

var stepSchema = schema[checks.Step]{
	kind:  "step",
	doc:   "Sends something and waits until the answer is as expected. Steps are made in their order.",
	start: func() checks.Step { return checks.Step{} },
	keys: append([]key[checks.Step]{
		text("send", func(s *checks.Step) *string { return &s.Send },
			"what is sent, with its line ends: `\"PING\\r\\n\"`").by("nothing"),
	}, expectKeys("the answer", func(s *checks.Step) *checks.Expect { return &s.Expect })...),
}

var udpVariant = networkVariant(
	schema[networkCheck[checks.UDP]]{
		kind: "udp",
		doc:  "Up when a datagram is answered as expected. Without an expectation, when the machine does not refuse it (ICMP unreachable).",
		keys: append([]key[networkCheck[checks.UDP]]{
			text("send", func(c *networkCheck[checks.UDP]) *string { return &c.probe.Send },
				"the datagram").by("an empty one"),
		}, expectKeys("the answer", func(c *networkCheck[checks.UDP]) *checks.Expect { return &c.probe.Expect })...),
	},
	checks.UDP{}, nil,
	func(p checks.UDP, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

var certificateVariant = networkVariant(
	schema[networkCheck[checks.Certificate]]{
		kind: "certificate",
		doc:  "Up when the certificate that is shown by TLS is good, and stays so for some time.",
		keys: []key[networkCheck[checks.Certificate]]{
			duration("min_valid", 0, 10*365*24*time.Hour, func(c *networkCheck[checks.Certificate]) *time.Duration { return &c.probe.MinValid },
				"for which it must still be valid, as all certificates above it"),
		},
		blocks: []inner[networkCheck[checks.Certificate]]{
			tlsBlock(func(c *networkCheck[checks.Certificate], t checks.TLS) { c.probe.TLS = t }),
		},
	},
	checks.Certificate{MinValid: 24 * time.Hour, TLS: *defaultTLS()}, nil,
	func(p checks.Certificate, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)
