//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// nobody is who takes a datagram that no real server takes.
const nobody = "nobody"

// clients are the addresses that the client sends from, and caches the addresses
// of the web that the director takes for its cache servers.
var (
	clients = netip.MustParsePrefix("10.64.0.0/16")
	caches  = netip.MustParsePrefix("10.80.0.0/16")
)

// client returns one of the client's many addresses.
func client(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 64, byte(i >> 8), byte(i)}) }

// cached returns an address that is reached through the cache servers of a
// group, and is marked by the firewall with the group's number.
func cached(group, i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 80, byte(group), byte(i)}), 9)
}

// farm is a director and three real servers that catch datagrams and connections
// on port 9.
type farm struct {
	*testing.T
	network  *lab.Network
	director *lab.Director
	catcher  *lab.Catcher
}

// newFarm makes a farm whose client has many addresses. The virtual address is
// the director's own.
func newFarm(t *testing.T, config string) *farm {
	t.Helper()
	n := newNetwork(t, lab.Options{Servers: 3})
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIP, 24)))
	must(t, n.Client.LocalRoute(clients))
	must(t, n.Client.Route(caches, netip.MustParseAddr("10.0.0.1")))
	must(t, n.A.Route(clients, lab.ClientAddr))
	must(t, n.A.LocalRoute(caches))
	must(t, n.A.Sysctl("ipv4/icmp_ratelimit", "0")) // what nobody takes is refused by ICMP
	catcher, err := lab.NewCatcher(9, n.Servers...)
	must(t, err)
	t.Cleanup(func() { must(t, catcher.Close()) })
	return &farm{t, n, startDirector(t, n, n.A, config), catcher}
}

// run is a subtest of the farm.
func (f *farm) run(name string, test func(*farm)) {
	f.Helper()
	f.Run(name, func(t *testing.T) {
		g := *f
		g.T = t
		test(&g)
	})
}

// mark makes the director's firewall mark packets.
func (f *farm) mark(rules ...string) {
	f.Helper()
	_, err := f.network.A.Run("nft", "table ip marks { chain pre { type filter hook prerouting priority mangle; "+strings.Join(rules, "; ")+"; }; }")
	must(f.T, err)
}

// throw sends a datagram from a port of one of the client's addresses and
// returns the real server that it reached.
func (f *farm) throw(source netip.Addr, port int, to netip.AddrPort) string {
	f.Helper()
	return f.throwText(source, port, to, "")
}

// throwOne is throw from a port that does not matter.
func (f *farm) throwOne(source netip.Addr, to netip.AddrPort) string {
	f.Helper()
	return f.throw(source, 4000, to)
}

// throwText is throw of a datagram that begins with a text.
func (f *farm) throwText(source netip.Addr, port int, to netip.AddrPort, text string) string {
	f.Helper()
	name, err := f.catcher.Throw(f.network.Client, netip.AddrPortFrom(source, uint16(port)), to, text)
	must(f.T, err)
	if name == "" {
		return nobody
	}
	return name
}

// throwMany sends datagrams from count clients, first of them number first, and
// returns who caught them in their order.
func (f *farm) throwMany(first, count int, to netip.AddrPort) []string {
	f.Helper()
	var names []string
	for i := range count {
		names = append(names, f.throwOne(client(first+i), to))
	}
	return names
}

// hold opens a TCP connection, which stays open, and returns the real server
// that it reached.
func (f *farm) hold(source netip.Addr, to netip.AddrPort) string {
	f.Helper()
	name, err := f.catcher.Connect(f.network.Client, source, to)
	must(f.T, err)
	if name == "" {
		return nobody
	}
	return name
}

// holdMany opens connections from count clients, first of them number first,
// and returns who took them in their order.
func (f *farm) holdMany(first, count int, to netip.AddrPort) []string {
	f.Helper()
	var names []string
	for i := range count {
		names = append(names, f.hold(client(first+i), to))
	}
	return names
}

// weigh gives a real server, counted from 1, the operator's weight, and waits
// until the kernel has it.
func (f *farm) weigh(virtual string, real int, weight uint32) {
	f.Helper()
	_, err := f.director.Command("weight", virtual, lab.ServerAddr(real).String(), fmt.Sprint(weight))
	must(f.T, err)
	f.awaitWeight(virtual, real, weight)
}

// unweigh takes the operator's weight back.
func (f *farm) unweigh(virtual string, real int) {
	f.Helper()
	_, err := f.director.Command("enable", virtual, lab.ServerAddr(real).String())
	must(f.T, err)
	f.awaitWeight(virtual, real, f.real(virtual, real).Configured)
}

func (f *farm) awaitWeight(virtual string, real int, weight uint32) {
	f.Helper()
	must(f.T, lab.Await(10*time.Second, func() error {
		if got := f.real(virtual, real).Weight; got != weight {
			return fmt.Errorf("real server %d of %s has weight %d, not %d", real, virtual, got, weight)
		}
		return nil
	}))
}

// real returns the status of a real server, counted from 1.
func (f *farm) real(virtual string, number int) *engine.RealStatus {
	f.Helper()
	status, err := f.director.Status()
	must(f.T, err)
	for _, v := range status.VirtualServers {
		for _, r := range v.Reals {
			if v.Name == virtual && strings.HasPrefix(r.Address, lab.ServerAddr(number).String()) {
				return r
			}
		}
	}
	f.Fatalf("%s has no real server %d", virtual, number)
	return nil
}

// pool is a virtual server with the farm's three real servers: where it is, its
// other arguments, and the weights.
func pool(name, where, more string, weights ...int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "virtual_server %q {\n  %s\n  %s\n", name, where, strings.ReplaceAll(more, "; ", "\n  "))
	port := ":9"
	if strings.HasPrefix(where, "fwmark") {
		port = ""
	}
	for i := 1; i <= 3; i++ {
		weight := 1
		if len(weights) > 0 {
			weight = weights[i-1]
		}
		fmt.Fprintf(&b, "  real_server \"%v%s\" { weight = %d }\n", lab.ServerAddr(i), port, weight)
	}
	return b.String() + "}\n"
}

// tcp is where a virtual server is: a port of the virtual address.
func tcp(port uint16) string { return fmt.Sprintf("address = %q", at(port)) }

// udp is where a virtual server for datagrams is: a port of the virtual address.
func udp(port uint16) string {
	return fmt.Sprintf("address = %q\n  protocol = \"udp\"", at(port))
}
