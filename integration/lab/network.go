package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
)

// What tells the two directors apart to the client: the TTL of what they send.
const (
	TTLA = 101
	TTLB = 102
)

// Addresses that are the same in every network.
var (
	ClientAddr  = netip.MustParseAddr("10.0.0.10")
	InsideVIP   = netip.MustParseAddr("10.3.0.254") // the real servers' gateway
	InsideVIPv6 = netip.MustParseAddr("fd00:b::fe")
)

// VIP returns a virtual address, counted from 0: 10.0.0.100 and up.
func VIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}) }

// VIPv6 returns an IPv6 virtual address, counted from 0: fd00:a::64 and up.
func VIPv6(i int) netip.Addr { return numbered("fd00:a::", 100+i) }

// ServerAddr returns the inside address of the real server i, counted from 1.
func ServerAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 3, 0, byte(10 + i)}) }

// ServerAddrV6 is ServerAddr for IPv6.
func ServerAddrV6(i int) netip.Addr { return numbered("fd00:b::", 10+i) }

// ServerFrontAddr returns the address of real server i on the client's side,
// where it has one.
func ServerFrontAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(20 + i)}) }

// numbered returns base with its last byte set.
func numbered(base string, last int) netip.Addr {
	b := netip.MustParseAddr(base).As16()
	b[15] = byte(last)
	return netip.AddrFrom16(b)
}

// Options say what is special about a network.
type Options struct {
	Servers int // real servers
	// Front gives the real servers a leg on the client's side, by which they
	// answer directly (DR and TUN). Without it their way out is InsideVIP (NAT).
	Front bool
}

// Network is the boxes and the cables between them.
type Network struct {
	Client  *Namespace
	A, B    *Namespace
	Servers []*Namespace

	cables  *Namespace // where the bridges are
	cgroups string
	boxes   []*Namespace
	started []*Process
	folders []string // of what was started
}

// New makes a network. Close takes it down, also after an error.
func New(opts Options) (*Network, error) {
	n := &Network{cgroups: filepath.Join("/sys/fs/cgroup", "director-lab-"+strconv.Itoa(os.Getpid()))}
	if err := n.build(opts); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) build(opts Options) error {
	if err := os.MkdirAll(n.cgroups, 0o755); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	var err error
	if n.cables, err = n.box("cables"); err != nil {
		return err
	}
	for _, name := range []string{"front", "back"} {
		snooping := false // no querier here: snooping would lose multicast
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &snooping}
		if err := n.cables.links.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add bridge %s: %w", name, err)
		}
		if err := n.cables.links.LinkSetUp(bridge); err != nil {
			return fmt.Errorf("set bridge %s up: %w", name, err)
		}
	}
	if n.Client, err = n.box("client"); err != nil {
		return err
	}
	if err := n.wire(n.Client, "eth0", "front", 10); err != nil {
		return err
	}
	for i, box := range []**Namespace{&n.A, &n.B} {
		if *box, err = n.director([]string{"dirA", "dirB"}[i], i+1); err != nil {
			return err
		}
	}
	for i := 1; i <= opts.Servers; i++ {
		rs, err := n.box("rs" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		n.Servers = append(n.Servers, rs)
		if err := n.wire(rs, "eth1", "back", 10+i); err != nil {
			return err
		}
		if opts.Front {
			err = n.wire(rs, "eth0", "front", 20+i)
		} else {
			err = errors.Join(rs.DefaultRoute(InsideVIP), rs.DefaultRoute(InsideVIPv6))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// box makes one namespace with a control group for what runs in it.
func (n *Network) box(name string) (*Namespace, error) {
	ns, err := newNamespace(name)
	if err != nil {
		return nil, err
	}
	n.boxes = append(n.boxes, ns)
	if err := os.MkdirAll(n.cgroup(ns), 0o755); err != nil {
		return nil, fmt.Errorf("make control group: %w", err)
	}
	for name, value := range map[string]string{
		"ipv4/conf/all/rp_filter":         "0",
		"ipv4/conf/default/rp_filter":     "0",
		"ipv6/conf/default/accept_dad":    "0",
		"ipv6/conf/default/accept_ra":     "0",
		"ipv6/conf/default/dad_transmits": "0",
	} {
		if err := ns.Sysctl(name, value); err != nil {
			return nil, err
		}
	}
	return ns, nil
}

// director makes a director's box, number 1 or 2.
func (n *Network) director(name string, number int) (*Namespace, error) {
	ns, err := n.box(name)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"ipv4/ip_forward":          "1",
		"ipv6/conf/all/forwarding": "1",
		"ipv4/ip_default_ttl":      strconv.Itoa(TTLA + number - 1),
		"ipv4/ip_local_port_range": "1024 65535", // thousands of checks leave as many sockets in TIME_WAIT
	} {
		if err := ns.Sysctl(name, value); err != nil {
			return nil, err
		}
	}
	if err := n.wire(ns, "eth0", "front", number); err != nil {
		return nil, err
	}
	return ns, n.wire(ns, "eth1", "back", number)
}

// wire gives a box an interface on a bridge, with host number last in its networks.
func (n *Network) wire(ns *Namespace, link, bridge string, last int) error {
	port := ns.Name + "." + link
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: link,
		PeerNamespace: netlink.NsFd(int(ns.file.Fd())),
	}
	if err := n.cables.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("add link %s: %w", port, err)
	}
	master, err := n.cables.links.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", bridge, err)
	}
	if err := n.cables.links.LinkSetMaster(veth, master); err != nil {
		return fmt.Errorf("plug %s: %w", port, err)
	}
	if err := n.Plug(ns, link); err != nil {
		return err
	}
	inside, err := ns.links.LinkByName(link)
	if err == nil {
		err = ns.links.LinkSetUp(inside)
	}
	if err != nil {
		return fmt.Errorf("set %s up: %w", port, err)
	}
	v4, v6 := [4]byte{10, 0, 0, byte(last)}, "fd00:a::"
	if bridge == "back" {
		v4, v6 = [4]byte{10, 3, 0, byte(last)}, "fd00:b::"
	}
	return errors.Join(
		ns.AddAddress(link, netip.PrefixFrom(netip.AddrFrom4(v4), 24)),
		ns.AddAddress(link, netip.PrefixFrom(numbered(v6, last), 64)),
	)
}

// Pull takes the cable out: the box sees its carrier go.
func (n *Network) Pull(ns *Namespace, link string) error {
	return n.port(ns, link, n.cables.links.LinkSetDown)
}

// Plug puts the cable in again.
func (n *Network) Plug(ns *Namespace, link string) error {
	return n.port(ns, link, n.cables.links.LinkSetUp)
}

// Isolate keeps the two directors from hearing each other on their front links,
// or lets them again. Everybody else hears both.
func (n *Network) Isolate(split bool) error {
	for _, ns := range []*Namespace{n.A, n.B} {
		err := n.port(ns, "eth0", func(l netlink.Link) error { return n.cables.links.LinkSetIsolated(l, split) })
		if err != nil {
			return err
		}
	}
	return nil
}

// port does something to the bridge's end of a cable.
func (n *Network) port(ns *Namespace, link string, do func(netlink.Link) error) error {
	name := ns.Name + "." + link
	l, err := n.cables.links.LinkByName(name)
	if err == nil {
		err = do(l)
	}
	if err != nil {
		return fmt.Errorf("change cable %s: %w", name, err)
	}
	return nil
}

// Close ends what was started in the network and takes it down.
func (n *Network) Close() error {
	var errs []error
	for _, p := range n.started {
		errs = append(errs, p.Kill())
	}
	for _, ns := range n.boxes {
		errs = append(errs, removeGroup(n.cgroup(ns)), ns.close())
	}
	errs = append(errs, removeGroup(n.cgroups))
	for _, folder := range n.folders {
		errs = append(errs, os.RemoveAll(folder))
	}
	return errors.Join(errs...)
}

// removeGroup removes an empty control group. The kernel says that it is busy
// until it is done with the processes that were killed.
func removeGroup(path string) error {
	return Await(5*time.Second, func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove control group: %w", err)
		}
		return nil
	})
}

// cgroup returns the folder of a box's control group.
func (n *Network) cgroup(ns *Namespace) string { return filepath.Join(n.cgroups, ns.Name) }
