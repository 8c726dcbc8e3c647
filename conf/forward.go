package conf

import (
	"slices"
	"strings"

	"github.com/lvs-director/director/ipvsctl"
)

// tunnel is a block tunnel as decoded, and where it stands.
type tunnel struct {
	ipvsctl.Tunnel
	at                       span
	checksum, remoteChecksum bool
}

var (
	tunnelPort = number("port", 1, 65535, func(t *tunnel) *uint16 { return &t.Port },
		"UDP port of the real server").must()
	tunnelChecksum = truth("checksum", func(t *tunnel) *bool { return &t.checksum },
		"whether packets have the checksum of the encapsulation")
	tunnelRemote = truth("remote_checksum", func(t *tunnel) *bool { return &t.remoteChecksum },
		"whether the inner checksum is left to the receiver (remote checksum offload)")
)

var tunnelVariants = []variant[tunnel]{
	variantOf("ipip", tunnelSchema(ipvsctl.IPIP, "IP in IP, without options: what a tunnel is by itself.")),
	variantOf("gue", tunnelSchema(ipvsctl.GUE, "Generic UDP encapsulation.", tunnelPort, tunnelChecksum, tunnelRemote)),
	variantOf("gre", tunnelSchema(ipvsctl.GRE, "Generic routing encapsulation.", tunnelChecksum)),
}

func tunnelSchema(kind ipvsctl.TunnelType, doc string, keys ...key[tunnel]) *schema[tunnel] {
	names := map[ipvsctl.TunnelType]string{ipvsctl.IPIP: "ipip", ipvsctl.GUE: "gue", ipvsctl.GRE: "gre"}
	return &schema[tunnel]{
		kind:   "tunnel",
		labels: []string{quote(names[kind])},
		doc:    doc + " It may be given once, and is for `forward = \"tun\"`.",
		start:  func() tunnel { return tunnel{Tunnel: ipvsctl.Tunnel{Type: kind}} },
		keys:   keys,
	}
}

// setTunnel puts the tunnel of block b into its place.
func setTunnel(d *decoder, b *block, to **tunnel, t tunnel) {
	if *to != nil {
		d.fail(b.at, "block tunnel is given twice")
	}
	t.at = b.at
	if t.checksum {
		t.Flags |= ipvsctl.TunnelChecksum
	}
	if t.remoteChecksum {
		t.Flags |= ipvsctl.TunnelRemoteChecksum
	}
	*to = &t
}

// tunnelOf returns the encapsulation of a destination, given its own.
func (v *virtualServer) tunnelOf(d *decoder, own *tunnel, forward ipvsctl.Forward) ipvsctl.Tunnel {
	switch {
	case own != nil && forward != ipvsctl.TUN:
		d.fail(own.at, "tunnel is for forward = \"tun\"")
	case own != nil:
		return own.Tunnel
	case v.tunnel != nil && forward == ipvsctl.TUN:
		return v.tunnel.Tunnel
	}
	return ipvsctl.Tunnel{}
}

// schedulerFlag is a flag by its name in ipvsadm.
type schedulerFlag struct {
	name      string
	scheduler string
	flag      ipvsctl.Flags
}

var schedulerFlags = []schedulerFlag{
	{"sh-fallback", "sh", ipvsctl.SHFallback},
	{"sh-port", "sh", ipvsctl.SHPort},
	{"mh-fallback", "mh", ipvsctl.MHFallback},
	{"mh-port", "mh", ipvsctl.MHPort},
}

// schedulerFlagsKey is the list of flags of the scheduler.
func schedulerFlagsKey() key[virtualServer] {
	var names []string
	for _, f := range schedulerFlags {
		names = append(names, f.name)
	}
	k := list("scheduler_flags", "words", func(d *decoder, val value, v *virtualServer) {
		switch {
		case val.kind != textValue || !slices.Contains(names, val.text):
			d.want("scheduler_flags", val, "one of "+strings.Join(names, ", "))
		default:
			v.flags = append(v.flags, label{val.text, val.at})
		}
	}, "`sh-port`, `mh-port`: clients are told apart by their ports, too. `sh-fallback`: a client whose server has weight 0 gets another; `mh-fallback`, the same, is always on")
	k.limits = strings.Join(names, ", ")
	return k
}

// schedulerFlags returns the flags of the kernel's service.
func (v *virtualServer) schedulerFlags(d *decoder) ipvsctl.Flags {
	var flags ipvsctl.Flags
	for _, name := range v.flags {
		f := schedulerFlags[slices.IndexFunc(schedulerFlags, func(f schedulerFlag) bool { return f.name == name.text })]
		if f.scheduler != v.scheduler {
			d.fail(name.at, "scheduler_flags %q is for scheduler %q, this is %q", name.text, f.scheduler, v.scheduler)
		}
		flags |= f.flag
	}
	return flags
}
