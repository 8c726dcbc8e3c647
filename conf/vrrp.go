package conf

import (
	"net/netip"
	"time"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// group is a block vrrp as decoded.
type group struct {
	vrrp.Group
	name        label
	policy      GroupPolicy
	routerAt    span
	addressesAt span
	syncAt      span     // of block connection_sync
	probed      []probed // tracks
	tracked     []label  // tracked virtual servers
	sessions    []label  // tracked BFD sessions
	fixtures    fixtures
	accept      bool
}

var groupSchema = schema[group]{
	kind:   "vrrp",
	labels: []string{"a name"},
	doc:    "A virtual router: addresses that are on this machine while it is MASTER.",
	start:  defaultGroup,
	keys: append([]key[group]{
		checkedText("interface", "string", func(g *group) *string { return &g.Interface }, checkInterface,
			"network interface that carries the advertisements and the addresses").must(),
		number("virtual_router_id", 1, 255, func(g *group) *uint8 { return &g.RouterID },
			"VRID: the same on all machines of the group, and only once on an interface and address family").must(),
		number("version", 2, 3, func(g *group) *int { return &g.Version },
			"of the protocol: 3 is RFC 9568, 2 is RFC 3768, which has no IPv6"),
		number("priority", 1, 255, func(g *group) *uint8 { return &g.Priority },
			"who becomes MASTER: the highest. 255 is the owner of the addresses"),
		duration("advertise_interval", 10*time.Millisecond, 255*time.Second, func(g *group) *time.Duration { return &g.Interval },
			"time between two advertisements. Version 3: 10ms to 40.95s in steps of 10ms; version 2: 1s to 255s in steps of 1s"),
		truth("preempt", func(g *group) *bool { return &g.Preempt },
			"whether a machine of higher priority takes over from a working MASTER"),
		duration("preempt_delay", 0, time.Hour, func(g *group) *time.Duration { return &g.PreemptDelay },
			"how long it waits before it does"),
		vipKey(),
		seconds("address_lease", 2*time.Second, time.Hour, func(g *group) *time.Duration { return &g.Lease },
			"lifetime of the addresses in the kernel, refreshed while MASTER: a hung or dead Director loses them after so long"),
	}, groupOptions()...),
	blocks: append([]inner[group]{
		nest(&syncSchema, true, func(_ *decoder, b *block, g *group, s ipvsctl.Daemon) {
			g.policy.Sync, g.syncAt = &s, b.at
		}),
		choose("track", trackVariants, addTrack),
		nest(&groupHookSchema, false, func(d *decoder, b *block, g *group, h hook) {
			addHook(d, b.label(0), &g.policy.Hooks, h, "master", "backup", "fault")
		}),
	}, append(groupBlocks(), fixtureBlocks(func(g *group) *fixtures { return &g.fixtures })...)...),
}

// vipKey is the list of virtual addresses.
func vipKey() key[group] {
	return list("addresses", "IP/LEN", func(d *decoder, v value, g *group) {
		if v.kind != textValue {
			d.want("addresses", v, "an address in quotes, IP/LEN")
			return
		}
		prefix, wrong := parseVIP(v.text)
		switch {
		case wrong != "":
			d.fail(v.at, "address %q: %s", v.text, wrong)
		case hasAddr(g.Addresses, prefix.Addr()):
			d.fail(v.at, "address %s is given twice", prefix.Addr())
		case len(g.Addresses) > 0 && g.Addresses[0].Addr().Is4() != prefix.Addr().Is4():
			d.fail(v.at, "address %s: a group has addresses of one family; make another group for the other", prefix.Addr())
		case len(g.Addresses) == 255:
			d.fail(v.at, "addresses: want at most 255, the count is one byte of the packet")
		default:
			g.Addresses = append(g.Addresses, prefix)
		}
	}, "the virtual addresses").must()
}

func hasAddr(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Addr() == addr {
			return true
		}
	}
	return false
}

// decodeGroup decodes a block vrrp.
func decodeGroup(d *decoder, b *block) any {
	g := groupSchema.decode(d, b)
	g.name = b.label(0)
	g.Name, g.policy.Group = g.name.text, g.name.text
	g.routerAt, g.addressesAt = b.where("virtual_router_id"), b.where("addresses")
	interval := b.where("advertise_interval")
	v6 := len(g.Addresses) > 0 && g.Addresses[0].Addr().Is6()
	switch {
	case g.Version == 2 && v6:
		d.fail(b.where("version"), "version 2 has no IPv6: want version 3")
	case g.Version == 2 && (g.Interval%time.Second != 0 || g.Interval < time.Second):
		d.fail(interval, "advertise_interval %s: version 2 wants whole seconds, 1s to 255s", durationText(g.Interval))
	case g.Version == 3 && (g.Interval%(10*time.Millisecond) != 0 || g.Interval > 40950*time.Millisecond):
		d.fail(interval, "advertise_interval %s: version 3 wants 10ms to 40.95s in steps of 10ms", durationText(g.Interval))
	}
	g.checkOptions(d, b)
	if g.Closed = !g.accept; g.Closed && g.Priority == 255 {
		d.fail(b.where("accept"), "accept false: the owner of the addresses, priority 255, always accepts")
	}
	g.Routes, g.Rules = g.fixtures.Routes, g.fixtures.Rules
	if g.policy.Sync != nil && g.policy.Sync.SyncID == 0 {
		g.policy.Sync.SyncID = g.RouterID
	}
	return &g
}

var syncSchema = schema[ipvsctl.Daemon]{
	kind:  "connection_sync",
	doc:   "The kernel's connection synchronisation: master while the group is MASTER, backup otherwise. At most one group has it.",
	start: func() ipvsctl.Daemon { return ipvsctl.Daemon{} },
	keys: []key[ipvsctl.Daemon]{
		checkedText("interface", "string", func(s *ipvsctl.Daemon) *string { return &s.Interface }, checkInterface,
			"network interface that carries the connections").must(),
		number("id", 1, 255, func(s *ipvsctl.Daemon) *uint8 { return &s.SyncID },
			"only directors with the same id listen to each other").by("`virtual_router_id`"),
		key[ipvsctl.Daemon]{
			name: "group", kind: "IP", limits: "multicast", doc: "multicast group that the connections are sent to",
			set:  setSyncGroup,
			show: func(*ipvsctl.Daemon) string { return "224.0.0.81" },
		},
		number("port", 1, 65535, func(s *ipvsctl.Daemon) *uint16 { return &s.Port },
			"UDP port that they are sent to").by("8848"),
		number("ttl", 1, 255, func(s *ipvsctl.Daemon) *uint8 { return &s.TTL },
			"time to live of the packets: how many routers they pass, plus 1").by("1"),
		number("max_length", 576, 65535, func(s *ipvsctl.Daemon) *uint16 { return &s.MaxLen },
			"bytes of a packet; the kernel keeps it within the MTU of the interface").by("by the MTU"),
	},
}

func setSyncGroup(d *decoder, v value, s *ipvsctl.Daemon) {
	addr, err := netip.ParseAddr(v.text)
	if v.kind != textValue || err != nil || !addr.IsMulticast() || addr.Zone() != "" {
		d.want("group", v, "a multicast address in quotes")
		return
	}
	s.Group = addr
}

// syncGroup is a block vrrp_sync_group as decoded.
type syncGroup struct {
	vrrp.SyncGroup
	name    label
	members []span
	hooks   map[string]Hook
}

var syncGroupSchema = schema[syncGroup]{
	kind:   "vrrp_sync_group",
	labels: []string{"a name"},
	doc:    "Groups that are MASTER together or not at all.",
	start:  func() syncGroup { return syncGroup{} },
	keys: []key[syncGroup]{
		list("groups", "names", func(d *decoder, v value, g *syncGroup) {
			if v.kind != textValue {
				d.want("groups", v, "the name of a vrrp group")
				return
			}
			g.Groups = append(g.Groups, v.text)
			g.members = append(g.members, v.at)
		}, "names of `vrrp` blocks. Their tracks of one kind, name and weight count once, and so must look at the same thing").must(),
	},
	blocks: []inner[syncGroup]{
		nest(&syncGroupHookSchema, false, func(d *decoder, b *block, g *syncGroup, h hook) {
			addHook(d, b.label(0), &g.hooks, h, "master", "backup", "fault")
		}),
	},
}

// decodeSyncGroup decodes a block vrrp_sync_group.
func decodeSyncGroup(d *decoder, b *block) any {
	g := syncGroupSchema.decode(d, b)
	g.name = b.label(0)
	g.Name = g.name.text
	return &g
}
