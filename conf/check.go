package conf

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/ipvsctl"
)

// check is a block check as decoded: a schedule, and a probe that is complete
// once it knows its target.
type check struct {
	name    string // of a named check, else the kind
	at      label  // the name of a named check
	monitor checks.Monitor
	target  target
	probe   func(t probeTarget) checks.Probe
	noPort  bool // the probe asks an address, not a port
}

// target is where a check goes instead of to the real server itself, and how.
type target struct {
	address netip.Addr
	port    uint16
	route   checks.Route
	through bool // forwarding
}

// probeTarget is what a probe is about.
type probeTarget struct {
	addr           netip.AddrPort // to ask
	virtualServer  string
	virtualAddress string         // the first one; empty for a fwmark
	fwmark         uint32         // 0 is none
	realServer     netip.AddrPort // as configured
	weight         uint32         // of the real server, as configured
	virtual        []netip.AddrPort
	destination    ipvsctl.Destination // the real server
	route          checks.Route
}

// checkVariants are the kinds of checks, by the first label of the block. The
// name of a named check is no label of the schema: decodeNamedCheck takes it off.
var checkVariants = append([]variant[*check]{
	tcpVariant,
	udpVariant,
	httpVariant,
	httpsVariant,
	icmpVariant,
	dnsVariant,
	certificateVariant,
	agentVariant,
	scriptVariant,
	fileVariant,
	bfdVariant,
}, slices.Concat(textVariants, serviceVariants)...)

// checkVariant makes a kind of check, called s.kind, whose block is decoded by
// s and has a schedule, too. build makes the check of what was decoded.
func checkVariant[U any](s schema[U], schedule func(*U) *checks.Monitor, build func(d *decoder, b *block, u *U) *check) variant[*check] {
	kind := s.kind
	s.kind, s.labels = "check", []string{quote(kind)}
	s.keys = append(slices.Clip(s.keys), scheduleKeys(schedule)...)
	return variant[*check]{
		label: kind,
		decode: func(d *decoder, b *block) *check {
			u := s.decode(d, b)
			c := build(d, b, &u)
			c.name = kind
			checkWindow(d, b, schedule(&u))
			c.monitor = settle(*schedule(&u))
			return c
		},
		ref: s.reference,
	}
}

// scheduleKeys are the arguments that all checks have.
func scheduleKeys[T any](m func(*T) *checks.Monitor) []key[T] {
	const least, most = 10 * time.Millisecond, 24 * time.Hour
	keys := []key[T]{
		duration("interval", least, most, func(t *T) *time.Duration { return &m(t).Interval },
			"time between the starts of two probes"),
		duration("fast_interval", least, most, func(t *T) *time.Duration { return &m(t).FastInterval },
			"the same between the first probe that says otherwise and the verdict").by("`interval`"),
		duration("down_interval", least, most, func(t *T) *time.Duration { return &m(t).DownInterval },
			"the same while down").by("`interval`"),
		duration("timeout", time.Millisecond, time.Hour, func(t *T) *time.Duration { return &m(t).Timeout },
			"after so long, whatever happened, a probe has failed"),
		number("rise", 1, 1000, func(t *T) *int { return &m(t).Rise },
			"consecutive successes that bring it up"),
		number("fall", 1, 1000, func(t *T) *int { return &m(t).Fall },
			"consecutive failures that take it down"),
		number("window", 0, 64, func(t *T) *int { return &m(t).Window },
			"if not 0, `rise` and `fall` count not consecutive probes but those among the last so many").by("0"),
		number("damping_falls", 0, 100, func(t *T) *int { return &m(t).Damping.Falls },
			"if not 0, after going down so often in the time `damping_within` it stays down for `damping_hold`, whatever its probes see").by("0"),
		duration("damping_within", time.Second, most, func(t *T) *time.Duration { return &m(t).Damping.Within },
			"see `damping_falls`"),
		duration("damping_hold", time.Second, most, func(t *T) *time.Duration { return &m(t).Damping.Hold },
			"see `damping_falls`"),
	}
	for i := range keys {
		keys[i].shared = "Schedule"
	}
	return keys
}

// weightStepKey is for checks that may ask for a weight.
func weightStepKey[T any](m func(*T) *checks.Monitor) key[T] {
	return number("weight_step", 0, 65535, func(t *T) *int { return &m(t).WeightStep },
		"if not 0, the weight that the check asks for changes by so much at most from probe to probe").by("0")
}

// settle gives schedules that mean the same the same form.
func settle(m checks.Monitor) checks.Monitor {
	if m.FastInterval == m.Interval {
		m.FastInterval = 0
	}
	if m.DownInterval == m.Interval {
		m.DownInterval = 0
	}
	if m.Damping.Falls == 0 {
		m.Damping = checks.Damping{}
	}
	return m
}

// checkWindow refuses a window that can hold no verdict.
func checkWindow(d *decoder, b *block, m *checks.Monitor) {
	if m.Window > 0 && m.Window < max(m.Rise, m.Fall) {
		d.fail(b.at, "window %d: want 0, or at least rise (%d) and fall (%d)", m.Window, m.Rise, m.Fall)
	}
}

// addr returns the address of one machine that v is.
func (d *decoder) addr(name string, v value) netip.Addr {
	if v.kind != textValue {
		d.want(name, v, "an IP address in quotes")
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(v.text)
	if err != nil {
		d.fail(v.at, "%s %q: want an IP address", name, v.text)
		return netip.Addr{}
	}
	if wrong := refuseAddr(addr); wrong != "" {
		d.fail(v.at, "%s %q: %s", name, v.text, wrong)
	}
	return addr.Unmap()
}

// decodeNamedCheck decodes a check at the top level, which has a name.
func decodeNamedCheck(d *decoder, b *block) any {
	if len(b.labels) != 2 {
		d.fail(b.at, "check: want a kind and a name as labels, got %d labels", len(b.labels))
		return (*check)(nil)
	}
	name := b.labels[1]
	d.checkName("check", "a name", name)
	inline := *b
	inline.labels = b.labels[:1]
	v := pick(d, &inline, checkVariants)
	if v == nil {
		return (*check)(nil)
	}
	c := v.decode(d, &inline)
	c.name, c.at = name.text, name
	return c
}

// use makes the check of one real server. at is where a problem with it is shown.
func (c *check) use(d *decoder, at span, t probeTarget) Check {
	t.route = c.target.route
	var way *Way
	if c.target.through {
		way = c.forward(d, at, &t)
	} else {
		c.direct(d, at, &t)
	}
	m := c.monitor
	m.Probe = c.probe(t)
	if m.WeightStep > 0 && !checks.Weighs(m.Probe) {
		d.fail(at, "check %q has a weight_step, and never asks for a weight", c.name)
	}
	return Check{Name: c.name, Monitor: m, Key: m.Key(), Way: way}
}

// direct makes the target of a check that asks the real server itself.
func (c *check) direct(d *decoder, at span, t *probeTarget) {
	port := t.realServer.Port()
	if c.target.port != 0 {
		port = c.target.port
	}
	addr := t.realServer.Addr()
	if c.target.address.IsValid() {
		addr = c.target.address
	}
	if port == 0 && !c.noPort {
		d.fail(at, "check %q of real server %s has no port to ask: give the check one", c.name, addr)
	}
	if src := c.target.route.Source; src.IsValid() && src.Is4() != addr.Is4() {
		d.fail(at, "check %q asks %s from %s: want addresses of one family", c.name, addr, src)
	}
	t.addr = netip.AddrPortFrom(addr, port)
}
