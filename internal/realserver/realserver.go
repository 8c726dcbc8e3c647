// Package realserver prepares the machine it runs on as a real server of LVS-DR
// or LVS-TUN: it holds the virtual address, on a device on which no neighbour
// asks for it, and keeps quiet about it.
//
// Everything that matters is an Item with a text as its value. Up gives each the
// value that it must have and remembers what it was; Down puts that back;
// Status compares. The package knows nothing of health or of the director.
package realserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Mode is the way in which packets for the virtual address arrive.
type Mode string

// The modes. The tunnels are those of director's TUN destinations.
const (
	DR   Mode = "dr"  // unchanged, by the link-layer address
	IPIP Mode = "tun" // in IP
	GRE  Mode = "gre"
	GUE  Mode = "gue" // in UDP
)

// VIP is a virtual address that this machine serves.
type VIP struct {
	Addr netip.Addr `json:"address"`
	Mode Mode       `json:"mode"`
	Port uint16     `json:"port,omitempty"` // of GUE
}

// String returns the address and its mode.
func (v VIP) String() string { return fmt.Sprintf("%s (%s)", v.Addr, v.Mode) }

// Validate tells what is wrong with v, for a user who has just typed it.
func (v VIP) Validate() error {
	switch {
	case !v.Addr.IsValid() || v.Addr.Zone() != "" || v.Addr.IsMulticast() || v.Addr.IsUnspecified() || v.Addr.Is4In6():
		return fmt.Errorf("%s cannot be a virtual address", v.Addr)
	case !slices.Contains([]Mode{DR, IPIP, GRE, GUE}, v.Mode):
		return fmt.Errorf("mode %q is not one of dr, tun, gre and gue", v.Mode)
	case v.Mode == GUE && v.Port == 0:
		return fmt.Errorf("mode gue needs the UDP port of the tunnel")
	case v.Mode != GUE && v.Port != 0:
		return fmt.Errorf("only mode gue has a port")
	}
	return nil
}

// Kind is what an Item is.
type Kind string

// The kinds of items, and what their values are.
const (
	Link    Kind = "link"    // name: a device; "up" or "down"
	Address Kind = "address" // name: device and prefix; "present"
	Sysctl  Kind = "sysctl"  // name: as of sysctl(8); its value
	FOU     Kind = "fou"     // name: a UDP port that unpacks GUE, and its family; "gue"
	File    Kind = "file"    // name: a path; its content
	Symlink Kind = "symlink" // name: a path; where it points to
)

// Item is one thing of the system that has a value. The value of what does not
// exist is empty.
type Item struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
}

// String returns the kind and the name.
func (i Item) String() string { return string(i.Kind) + " " + i.Name }

const present = "present"

// want is an item and the value that it must have.
type want struct {
	Item
	value string
	also  []string // values that do as well
	why   string   // what goes wrong otherwise
}

// device returns where the address is held. It must be one on which nobody asks
// for it, and for a tunnel the one that unpacks it.
func (v VIP) device() string {
	six := v.Addr.Is6()
	switch v.Mode {
	case IPIP, GUE: // GUE is IP in IP once the UDP header is gone
		if six {
			return "ip6tnl0"
		}
		return "tunl0"
	case GRE:
		if six {
			return "ip6gre0"
		}
		return "gre0"
	default:
		return "lo"
	}
}

// wants returns what must be so for the addresses, in the order in which it is
// done: the address comes last, when nothing answers for it any more.
func wants(vips []VIP) []want {
	var ws []want
	add := func(w want) {
		if !slices.ContainsFunc(ws, func(x want) bool { return x.Item == w.Item }) {
			ws = append(ws, w)
		}
	}
	for _, v := range vips {
		if v.Addr.Is4() {
			// The kernel takes the larger of "all" and the interface's own value.
			add(want{Item{Sysctl, "net.ipv4.conf.all.arp_ignore"}, "1", []string{"2", "8"},
				"this machine would answer ARP for the virtual address and take its traffic from the director"})
			add(want{Item{Sysctl, "net.ipv4.conf.all.arp_announce"}, "2", nil,
				"this machine would announce the virtual address in its own ARP requests"})
		}
	}
	for _, v := range vips {
		dev := v.device()
		add(want{Item{Link, dev}, "up", nil, "nothing arrives at the virtual address"})
		if v.Mode == GUE {
			family := "inet"
			if v.Addr.Is6() {
				family = "inet6"
			}
			add(want{Item{FOU, family + " " + strconv.Itoa(int(v.Port))}, "gue", nil, "GUE packets are not unpacked"})
		}
		if dev != "lo" && v.Addr.Is4() {
			// Loose for this device only: the larger of "all" and its own value counts,
			// and 2 is more than the strict 1. Strict drops what a tunnel brings, since the
			// way back to the client is another device.
			add(want{Item{Sysctl, "net.ipv4.conf." + dev + ".rp_filter"}, "2", nil,
				"packets out of the tunnel would be dropped, because the way back to their clients is another one"})
		}
		prefix := netip.PrefixFrom(v.Addr, v.Addr.BitLen())
		add(want{Item{Address, dev + " " + prefix.String()}, present, nil, "this machine drops packets for the virtual address"})
	}
	return ws
}
