package conf

import (
	"net/netip"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/internal/bfd"
)

// BFD is a named session.
type BFD struct {
	Name    string
	Session bfd.Session
}

// session is a block bfd as decoded.
type session struct {
	bfd.Session
	name label
	at   span // of the neighbour
}

var bfdSchema = schema[session]{
	kind:   "bfd",
	labels: []string{"a name"},
	doc: "A BFD session with a neighbour (RFC 5880, asynchronous mode): whether it and the way to it work is known within " +
		"`multiplier` packets' time. The neighbour must have a session with this machine, too.",
	start: defaultSession,
	keys: []key[session]{
		key[session]{
			name: "neighbor", kind: "IP", doc: "the address of the neighbour",
			set:  func(d *decoder, v value, s *session) { s.Peer, _ = d.ip("neighbor", v); s.at = v.at },
			show: func(*session) string { return "" },
		}.must(),
		{
			name: "source", kind: "IP", doc: "own address to speak from, and to hear at; by default the kernel chooses it, and any is heard at",
			set:  func(d *decoder, v value, s *session) { s.Source, _ = d.ip("source", v) },
			show: func(*session) string { return "" },
		},
		checkedText("interface", "string", func(s *session) *string { return &s.Interface }, checkInterface,
			"network interface to speak and to hear through; an IPv6 link-local neighbour needs it").by("by the routes"),
		duration("interval", 10*time.Millisecond, time.Minute, func(s *session) *time.Duration { return &s.Transmit },
			"time between two packets to the neighbour, if it can take so many. While the session is not up it is 1s at least. Less than 50ms is for machines that have nothing else to do"),
		duration("receive_interval", 10*time.Millisecond, time.Minute, func(s *session) *time.Duration { return &s.Receive },
			"time between two packets that we can take from the neighbour").by("`interval`"),
		number("multiplier", 1, 255, func(s *session) *uint8 { return &s.Multiplier },
			"after so many of our packets missing, the neighbour says down. What we wait for is the neighbour's multiplier"),
		truth("multihop", func(s *session) *bool { return &s.Multihop },
			"whether there are routers between (RFC 5883: UDP port 4784). Without, the neighbour is on the same network (RFC 5881: 3784), and packets with a TTL other than 255 are dropped"),
		number("min_ttl", 1, 255, func(s *session) *uint8 { return &s.MinTTL },
			"with `multihop`: the least TTL of what is taken: 255 less the number of routers between, so that others from afar are not believed").by("`254`"),
		truth("passive", func(s *session) *bool { return &s.Passive },
			"whether to wait for the neighbour to speak first"),
	},
}

// decodeBFD decodes a block bfd.
func decodeBFD(d *decoder, b *block) any {
	s := bfdSchema.decode(d, b)
	s.name = b.label(0)
	if s.Receive == 0 {
		s.Receive = s.Transmit
	}
	switch {
	case s.MinTTL != 0 && !s.Multihop:
		d.fail(b.where("min_ttl"), "min_ttl is for multihop = true: over one hop it is always 255")
	case s.MinTTL == 0 && s.Multihop:
		s.MinTTL = 254
	}
	if !s.Peer.IsValid() {
		return &s // has been reported
	}
	if s.Source.IsValid() && s.Source.Is4() != s.Peer.Is4() {
		d.fail(b.where("source"), "source %s and neighbor %s: want addresses of one family", s.Source, s.Peer)
	}
	if s.Peer == s.Source {
		d.fail(s.at, "neighbor %s is the source, too", s.Peer)
	}
	if s.Peer.Is6() && s.Peer.IsLinkLocalUnicast() && (s.Interface == "" || s.Multihop) {
		d.fail(s.at, "neighbor %s is link-local: want an interface, and no multihop", s.Peer)
	}
	return &s
}

// addSession takes up a BFD session.
func (a *assembly) addSession(p *piece, s *session) {
	a.named(p, "bfd", s.name)
	a.names.sessions = append(a.names.sessions, s.name.text)
	b := BFD{s.name.text, s.Session}
	a.config.BFD = append(a.config.BFD, b)
	if !s.Peer.IsValid() {
		return // has been reported
	}
	for _, other := range a.neighbors[s.Peer] {
		if s.Conflicts(other.Session) {
			a.fail(p, s.at, "Two sessions with one neighbor need different interfaces or sources, or one is multihop.",
				"neighbor %s is that of bfd %q already", s.Peer, other.Name)
		}
	}
	a.neighbors[s.Peer] = append(a.neighbors[s.Peer], b)
}

// sessionUse is a check that follows a session.
type sessionUse struct {
	probe checks.BFD
	at    span
}

// resolveSession checks that there is exactly one session that a check means.
func (a *assembly) resolveSession(p *piece, use sessionUse) {
	if use.probe.Session != "" {
		a.resolveSessionName(p, label{text: use.probe.Session, at: use.at})
		return
	}
	switch found := a.neighbors[use.probe.Neighbor]; len(found) {
	case 0:
		a.fail(p, use.at, "", "no bfd session has the neighbor %s: want one, or the name of another as session of the check", use.probe.Neighbor)
	case 1:
	default:
		a.fail(p, use.at, "", "bfd sessions %q and %q have the neighbor %s: want the name of one as session of the check", found[0].Name, found[1].Name, use.probe.Neighbor)
	}
}

func (a *assembly) resolveSessionName(p *piece, name label) {
	if _, ok := a.seen["bfd "+name.text]; !ok {
		a.fail(p, name.at, suggest(name.text, a.names.sessions), "no bfd session is named %q", name.text)
	}
}

// bfdCheck is a block check "bfd" as decoded.
type bfdCheck struct{ session string }

var bfdCheckSchema = schema[bfdCheck]{
	kind:   "check",
	labels: []string{`"bfd"`},
	doc: "Up while a BFD session is. It has no schedule: the session has its own, and each change counts at once. " +
		"`director check run` cannot run it.",
	start: func() bfdCheck { return bfdCheck{} },
	keys: []key[bfdCheck]{
		text("session", func(c *bfdCheck) *string { return &c.session },
			"the name of a block `bfd`").by("the one whose `neighbor` is the real server"),
	},
}

var bfdVariant = variant[*check]{
	label: "bfd",
	decode: func(d *decoder, b *block) *check {
		c := bfdCheckSchema.decode(d, b)
		return &check{
			name: "bfd", noPort: true, monitor: sessionMonitor(),
			probe: func(t probeTarget) checks.Probe { return followed(c.session, t.addr.Addr()) },
		}
	},
	ref: bfdCheckSchema.reference,
}

// followed is the probe of a session's name or, without one, of its neighbour.
func followed(name string, neighbor netip.Addr) checks.BFD {
	if name != "" {
		return checks.BFD{Session: name}
	}
	return checks.BFD{Neighbor: neighbor}
}

// sessionMonitor is the schedule of what is not probed: each change counts.
func sessionMonitor() checks.Monitor { return checks.Monitor{Rise: 1, Fall: 1} }
