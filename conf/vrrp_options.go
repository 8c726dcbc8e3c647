package conf

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"github.com/lvs-director/director/vrrp"
)

// groupOptions are the arguments of a block vrrp that few need.
func groupOptions() []key[group] {
	return []key[group]{
		number("down_adverts", 1, 100, func(g *group) *int { return &g.DownAdverts },
			"how many advertisements may be missed before the MASTER counts as gone").by("`3`"),
		duration("start_delay", 0, time.Hour, func(g *group) *time.Duration { return &g.StartDelay },
			"how long the group waits after the start of Director's VRRP process before it takes part"),
		list("excluded_addresses", "IP/LEN", addExcluded,
			"addresses that move with the group but are not advertised; also of the other family"),
		truth("accept", func(g *group) *bool { return &g.accept },
			"whether this machine answers for the addresses itself while it is MASTER. With false only IPVS does: what belongs to no virtual server is dropped, but for neighbour discovery"),
		truth("virtual_mac", func(g *group) *bool { return &g.VirtualMAC },
			"whether the addresses have a MAC address of their own, which moves with them (00:00:5e:00:01:VRID, in IPv6 00:00:5e:00:02:VRID), on a macvlan interface"),
		checkedText("password", "string", func(g *group) *string { return &g.Password }, checkPassword,
			"version 2: authentication type 1. It travels in the clear and keeps mistakes out, nobody else"),
	}
}

// groupBlocks are the blocks in a block vrrp that few need.
func groupBlocks() []inner[group] {
	return []inner[group]{
		nest(&unicastSchema, true, func(_ *decoder, _ *block, g *group, u vrrp.Unicast) { g.Unicast = &u }),
		nest(&announceSchema, true, func(_ *decoder, _ *block, g *group, a vrrp.Announce) { g.Announce = a }),
		nest(&hmacSchema, true, addHMAC),
	}
}

func addExcluded(d *decoder, v value, g *group) {
	prefix, wrong := parseVIP(v.text)
	switch {
	case v.kind != textValue:
		d.want("excluded_addresses", v, "an address in quotes, IP/LEN")
	case wrong != "":
		d.fail(v.at, "excluded address %q: %s", v.text, wrong)
	case hasAddr(g.Addresses, prefix.Addr()) || hasAddr(g.Excluded, prefix.Addr()):
		d.fail(v.at, "address %s is given twice", prefix.Addr())
	default:
		g.Excluded = append(g.Excluded, prefix)
	}
}

func checkPassword(s string) string {
	if s == "" || len(s) > 8 {
		return "1 to 8 bytes"
	}
	return ""
}

var unicastSchema = schema[vrrp.Unicast]{
	kind:  "unicast",
	doc:   "Advertisements go from machine to machine instead of to a multicast group: for networks that have none.",
	start: func() vrrp.Unicast { return vrrp.Unicast{TTL: 255, MinTTL: 255} },
	keys: []key[vrrp.Unicast]{
		list("peers", "IP", func(d *decoder, v value, u *vrrp.Unicast) {
			if ip, ok := d.ip("peers", v); ok {
				u.Peers = append(u.Peers, ip)
			}
		}, "the other machines of the group: it is sent to them, and taken from nobody else").must(),
		{
			name: "source", kind: "IP", doc: "own address to send from; by default the interface's",
			set: func(d *decoder, v value, u *vrrp.Unicast) {
				if ip, ok := d.ip("source", v); ok {
					u.Source = ip
				}
			},
			show: func(*vrrp.Unicast) string { return "" },
		},
		number("ttl", 1, 255, func(u *vrrp.Unicast) *uint8 { return &u.TTL }, "time to live of what is sent"),
		number("min_ttl", 1, 255, func(u *vrrp.Unicast) *uint8 { return &u.MinTTL },
			"the least time to live of what is taken: 255 is from the same network only. keepalived sends IPv6 unicast with 64"),
	},
}

// ip decodes an address.
func (d *decoder) ip(name string, v value) (netip.Addr, bool) {
	if v.kind != textValue {
		d.want(name, v, "an IP address in quotes")
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(v.text)
	if err != nil || ip.Zone() != "" || ip.Is4In6() || ip.IsMulticast() || ip.IsUnspecified() {
		d.fail(v.at, "%s %q: want the IP address of a machine", name, v.text)
		return netip.Addr{}, false
	}
	return ip, true
}

var announceSchema = schema[vrrp.Announce]{
	kind:  "announce",
	doc:   "When the MASTER tells the neighbours where its addresses are (gratuitous ARP, unsolicited neighbour advertisement).",
	start: func() vrrp.Announce { return vrrp.Announce{} },
	keys: []key[vrrp.Announce]{
		list("times", "duration", func(d *decoder, v value, a *vrrp.Announce) {
			t, err := time.ParseDuration(v.text)
			if v.kind != textValue || err != nil || t < 0 || t > time.Hour {
				d.fail(v.at, `times: want durations in quotes, such as "200ms", up to 1h`)
				return
			}
			if n := len(a.Times); n > 0 && t <= a.Times[n-1] {
				d.fail(v.at, "times: want each later than the one before")
				return
			}
			a.Times = append(a.Times, t)
		}, "after the takeover. By default at once, after 10ms, 50ms, 200ms, 1s, 5s, and when the lease of a dead MASTER has ended"),
		duration("refresh", 0, 24*time.Hour, func(a *vrrp.Announce) *time.Duration { return &a.Refresh },
			"and again at this interval, for as long as it is MASTER; 0s is never"),
		duration("spacing", 0, 10*time.Second, func(a *vrrp.Announce) *time.Duration { return &a.Spacing },
			"at least between two announcements on one interface, for switches that drop bursts"),
	},
}

// signing is a block hmac as decoded.
type signing struct {
	vrrp.HMAC
	monotonic bool
}

var hmacSchema = schema[signing]{
	kind:  "hmac",
	doc:   "Version 3: advertisements are signed with HMAC-SHA256, as keepalived's auth_hmac does.",
	start: func() signing { return signing{} },
	keys: []key[signing]{
		number("active", 1, 255, func(s *signing) *uint8 { return &s.Active }, "the key to sign with").by("the first key"),
		choice("mode", []word[vrrp.HMACMode]{
			{"enforce", vrrp.HMACEnforce}, {"permissive", vrrp.HMACPermissive}, {"receive-only", vrrp.HMACReceiveOnly},
		}, func(s *signing) *vrrp.HMACMode { return &s.Mode },
			"`enforce` takes only what is signed; `permissive` signs, and takes what is not; `receive-only` does not sign. To convert a network, go from the last to the first on all machines"),
		choice("replay", []word[bool]{{"time", false}, {"monotonic", true}}, func(s *signing) *bool { return &s.monotonic },
			"what keeps an old advertisement from being taken again: `time` wants clocks that agree, `monotonic` only that each is newer than the last"),
		duration("window", time.Second, 5*time.Minute, func(s *signing) *time.Duration { return &s.Window },
			"how far clocks may differ").by("3 × `advertise_interval`, at least `\"5s\"`"),
	},
	blocks: []inner[signing]{nest(&hmacKeySchema, false, addHMACKey)},
}

// hmacKey is a block key as decoded.
type hmacKey struct {
	file   string
	secret []byte
}

var hmacKeySchema = schema[hmacKey]{
	kind:   "key",
	labels: []string{"its id, 1 to 255"},
	doc:    "A shared secret. Several are for changing keys: add the new one everywhere, make it active everywhere, remove the old one.",
	start:  func() hmacKey { return hmacKey{} },
	keys: []key[hmacKey]{{
		name: "file", kind: "path", doc: "holds the secret: 32 to 64 bytes, as they are or in hexadecimal", required: true,
		set: func(d *decoder, v value, k *hmacKey) {
			if v.kind != textValue {
				d.want("file", v, "the path of a file in quotes")
				return
			}
			d.usesDisk = true
			text, err := ReadFile(v.text)
			if err != nil {
				d.fail(v.at, "file: %s", err)
				return
			}
			k.file, k.secret = v.text, readSecret(text)
			if n := len(k.secret); n < 32 || n > 64 {
				d.fail(v.at, "file %q: want a secret of 32 to 64 bytes, it has %d", v.text, n)
			}
		},
		show: func(*hmacKey) string { return "" },
	}},
}

// readSecret takes what a key file holds: hexadecimal digits if it is nothing
// else, without the end of the line.
func readSecret(text []byte) []byte {
	line := bytes.TrimRight(text, "\r\n")
	if b, err := hex.DecodeString(string(line)); err == nil && len(line) >= 64 {
		return b
	}
	if len(line) < len(text) && len(line) >= 32 {
		return line
	}
	return text
}

func addHMACKey(d *decoder, b *block, s *signing, k hmacKey) {
	id := b.label(0)
	n, err := strconv.ParseUint(id.text, 10, 8)
	if err != nil || n == 0 {
		d.fail(id.at, "key %q: want its id, 1 to 255", id.text)
		return
	}
	for _, other := range s.Keys {
		if other.ID == uint8(n) {
			d.fail(id.at, "key %d is given twice", n)
			return
		}
	}
	s.Keys = append(s.Keys, vrrp.Key{ID: uint8(n), Secret: k.secret})
}

func addHMAC(d *decoder, b *block, g *group, s signing) {
	s.Clock = !s.monotonic
	switch {
	case len(s.Keys) == 0:
		d.fail(b.at, "hmac: want at least one block key")
		return
	case s.Active == 0:
		s.Active = s.Keys[0].ID
	}
	known := false
	for _, k := range s.Keys {
		known = known || k.ID == s.Active
	}
	if !known {
		d.fail(b.where("active"), "active: there is no key %d", s.Active)
	}
	g.HMAC = &s.HMAC
}

// checkOptions reports options that do not go together.
func (g *group) checkOptions(d *decoder, b *block) {
	v6 := len(g.Addresses) > 0 && g.Addresses[0].Addr().Is6()
	if g.Password != "" && g.Version != 2 {
		d.fail(b.where("password"), "password: only version 2 has one; for version 3 there is the block hmac")
	}
	if g.VirtualMAC && g.Unicast != nil {
		d.fail(b.where("virtual_mac"), "virtual_mac: does not go together with the block unicast")
	}
	if g.HMAC != nil && g.Version != 3 {
		d.fail(b.where("version"), "version 2 is not signed: want version 3, or a password instead of the block hmac")
	}
	if u := g.Unicast; u != nil && len(g.Addresses) > 0 {
		for _, ip := range append([]netip.Addr{u.Source}, u.Peers...) {
			if ip.IsValid() && ip.Is6() != v6 {
				d.fail(b.at, "unicast: %s is of another family than the addresses of the group", ip)
			}
		}
	}
}
