//go:build integration

package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/integration/vm"
)

// forwardingTests are the ways to a real server. Each has a virtual server of
// its own, and the first packet of a connection is seen on the real server's cable.
var forwardingTests = []struct {
	name    string
	virtual netip.AddrPort
	real    netip.AddrPort
	how     string   // arguments of the virtual server
	link    string   // of the real server, where the packet arrives
	filter  string   // that it passes, for pcap-filter(7)
	words   []string // that tcpdump has for it
}{
	{"nat", at(80), inside(80), `forward = "nat"`, "eth1", "tcp dst port 80", []string{"10.64.0.1.", "> 10.3.0.11.80: Flags [S]"}},
	{"dr", vip(1, 80), netip.AddrPortFrom(lab.ServerFrontAddr(1), 80), `forward = "dr"`, "eth0", "tcp dst port 80",
		[]string{"10.64.0.1.", "> 10.0.0.101.80: Flags [S]"}},
	{"ipip", vip(2, 80), inside(80), `forward = "tun"`, "eth1", "ip proto 4", []string{"10.3.0.1 > 10.3.0.11: ", "10.64.0.1.", "> 10.0.0.102.80: Flags [S]"}},
	{"gre", vip(3, 80), inside(80), "forward = \"tun\"\n  tunnel \"gre\" {}", "eth1", "ip proto 47 and ip[20] & 0x80 = 0",
		[]string{"10.3.0.1 > 10.3.0.11: GREv0", "10.64.0.1.", "> 10.0.0.103.80: Flags [S]"}},
	{"gre-with-checksum", vip(4, 80), netip.MustParseAddrPort("10.3.0.111:80"), "forward = \"tun\"\n  tunnel \"gre\" { checksum = true }", "eth1", "ip proto 47 and ip[20] & 0x80 != 0",
		[]string{"10.3.0.1 > 10.3.0.111: GREv0", "10.64.0.1.", "> 10.0.0.104.80: Flags [S]"}},
	// Of GUE: UDP header, 4 bytes of its own, and the inner packet, whose
	// destination is at byte 16. 0x0a000069 is 10.0.0.105.
	{"gue", vip(5, 80), inside(80), "forward = \"tun\"\n  tunnel \"gue\" { port = 6080 }", "eth1",
		"udp dst port 6080 and udp[6:2] = 0 and udp[8:2] = 4 and udp[28:4] = 0x0a000069", []string{"10.3.0.1.", "> 10.3.0.11.6080: UDP"}},
	{"gue-with-checksum", vip(5, 81), inside(81), "forward = \"tun\"\n  tunnel \"gue\" {\n port = 6080\n checksum = true\n }", "eth1",
		"udp dst port 6080 and udp[6:2] != 0 and udp[8:2] = 4 and udp[28:4] = 0x0a000069", []string{"10.3.0.1.", "> 10.3.0.11.6080: UDP"}},
	// Four bytes more of flags, four of offsets: the low bits of the first byte
	// count words.
	{"gue-with-remote-checksum", vip(5, 82), inside(82), "forward = \"tun\"\n  tunnel \"gue\" {\n port = 6080\n remote_checksum = true\n }", "eth1",
		"udp dst port 6080 and udp[8] & 0x1f = 2 and udp[36:4] = 0x0a000069", []string{"10.3.0.1.", "> 10.3.0.11.6080: UDP"}},
	{"IPv4-in-IPv6", vip(6, 80), netip.MustParseAddrPort("[fd00:b::6f]:80"), `forward = "tun"`, "eth1", "ip6 proto 4",
		[]string{"fd00:b::fe > fd00:b::6f: ", "10.64.0.1.", "> 10.0.0.106.80: Flags [S]"}},
	{"IPv6-in-IPv4", vip6(0, 80), inside(80), `forward = "tun"`, "eth1", "ip proto 41",
		[]string{"10.3.0.1 > 10.3.0.11: ", "fd00:a::a.", "> fd00:a::64.80: Flags [S]"}},
	{"IPv6-in-IPv6", vip6(1, 80), inside6(80), `forward = "tun"`, "eth1", "ip6 proto 41",
		[]string{"fd00:b::fe > fd00:b::b: ", "fd00:a::a.", "> fd00:a::65.80: Flags [S]"}},
	{"IPv6-nat", vip6(2, 80), inside6(80), `forward = "nat"`, "eth1", "ip6 and tcp dst port 80", []string{"fd00:64::1.", "> fd00:b::b.80: Flags [S]"}},
	{"IPv6-dr", vip6(3, 80), netip.MustParseAddrPort("[fd00:a::15]:80"), `forward = "dr"`, "eth0", "ip6 and tcp dst port 80",
		[]string{"fd00:a::a.", "> fd00:a::67.80: Flags [S]"}},
}

func vip(i int, port uint16) netip.AddrPort  { return netip.AddrPortFrom(lab.VIP(i), port) }
func vip6(i int, port uint16) netip.AddrPort { return netip.AddrPortFrom(lab.VIPv6(i), port) }
func inside(port uint16) netip.AddrPort      { return netip.AddrPortFrom(lab.ServerAddr(1), port) }
func inside6(port uint16) netip.AddrPort     { return netip.AddrPortFrom(lab.ServerAddrV6(1), port) }

// TestForwarding gets a page from a real server by every forwarding method and
// kind of tunnel. The real server is prepared by director realserver, which
// leaves nothing behind.
func TestForwarding(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1, Front: true})
	rs := n.Servers[0]
	must(t, n.Client.LocalRoute(clients))
	must(t, n.Client.AddAddress("eth0", netip.MustParsePrefix("fd00:64::1/128")))
	must(t, n.A.Route(clients, lab.ClientAddr))
	must(t, n.A.Route(netip.MustParsePrefix("fd00:64::/64"), netip.MustParseAddr("fd00:a::a")))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIP, 24)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIPv6, 64)))
	for i := range 7 {
		must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIP(i), 24)))
		must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIPv6(i), 64)))
	}
	for port := 80; port <= 82; port++ {
		s, err := lab.NewServer(rs, port)
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
	}
	var config strings.Builder
	for _, tt := range forwardingTests {
		fmt.Fprintf(&config, "virtual_server %q {\n  address = %q\n  %s\n  real_server %q {}\n}\n", tt.name, tt.virtual, tt.how, tt.real)
	}
	startDirector(t, n, n.A, config.String())

	for _, args := range []string{
		"--vip 10.0.0.101,fd00:a::67", "--vip 10.0.0.102,fd00:a::65 --mode tun", "--vip 10.0.0.103 --mode gre", "--vip 10.0.0.105 --mode gue --gue-port 6080",
	} {
		_, err := realserver(t, rs, "up "+args)
		must(t, err)
	}
	byHand(t, rs)

	for _, tt := range forwardingTests {
		t.Run(tt.name, func(t *testing.T) {
			source := client(1)
			switch {
			case tt.name == "IPv6-nat":
				source = netip.MustParseAddr("fd00:64::1")
			case tt.virtual.Addr().Is6():
				source = netip.Addr{}
			}
			// With NAT the answers come through the director, else not.
			back := map[bool]netip.Addr{true: lab.InsideVIP, false: lab.ClientAddr}[strings.HasSuffix(tt.name, "nat")]
			must(t, rs.Route(clients, back))
			sniffer, err := n.Sniff(rs, tt.link, tt.filter)
			must(t, err)
			name, err := n.Client.GetFrom(t.Context(), source, tt.virtual, 10*time.Second)
			packet, missed := sniffer.Packet(5 * time.Second)
			must(t, errors.Join(err, missed))
			must(t, contains(packet, tt.words...))
			if name != "rs1" {
				t.Errorf("%q has answered", name)
			}
			t.Log(packet)
		})
	}
}

// byHand prepares the real server for tunnels of another address family than
// their virtual address, and for GRE with checksums. Those devices have addresses
// of their own: what is for a local address goes before what is for all.
func byHand(t *testing.T, rs *lab.Namespace) {
	t.Helper()
	for _, command := range []string{
		"ip address add 10.3.0.111/24 dev eth1", "ip address add fd00:b::6f/64 dev eth1 nodad",
		"ip link add tun46 type ip6tnl mode ipip6 local fd00:b::6f remote ::", "ip link set tun46 up", "ip address add 10.0.0.106/32 dev tun46",
		"modprobe sit", "ip link set sit0 up", "ip address add fd00:a::64/128 dev sit0",
		"ip link add gre1 type gre local 10.3.0.111 remote any icsum", "ip link set gre1 up", "ip address add 10.0.0.104/32 dev gre1",
		"ip route add fd00:64::/64 via fd00:b::fe",
	} {
		_, err := rs.Run(strings.Fields(command)...)
		must(t, err)
	}
}

// realserver runs director realserver in a box, with a state of the test's own.
func realserver(t *testing.T, rs *lab.Namespace, args string) (string, error) {
	t.Helper()
	folder := filepath.Join("/run", "realserver-"+rs.Name)
	t.Cleanup(func() { os.RemoveAll(folder) })
	must(t, os.MkdirAll(folder, 0o755))
	words := append([]string{os.Getenv(vm.ProgramVariable), "realserver"}, strings.Fields(args)...)
	return rs.Run(append(words, "--state", filepath.Join(folder, "state.json"))...)
}

// TestRealserver prepares a real server and undoes it, as an operator does.
func TestRealserver(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	rs := n.Servers[0]
	// A device of a tunnel stays when its module is loaded.
	_, err := rs.Run("modprobe", "-a", "ipip", "ip6_tunnel", "fou")
	must(t, err)
	must(t, rs.Sysctl("ipv4/conf/all/arp_announce", "1"))
	before := interfaces(t, rs)

	out, err := realserver(t, rs, "status --vip 10.0.0.101")
	must(t, contains(out, "problem: address lo 10.0.0.101/32 is missing", "problem: sysctl net.ipv4.conf.all.arp_ignore is 0, not 1"))
	must(t, contains(fmt.Sprint(err), "exit status 3"))
	for range 2 { // the second time changes nothing
		_, err = realserver(t, rs, "up --vip 10.0.0.101 --vip fd00:a::65")
		must(t, err)
		_, err = realserver(t, rs, "up --vip 10.0.0.102 --mode tun")
		must(t, err)
	}
	if _, err := realserver(t, rs, "up --vip 10.0.0.102 --mode dr"); err == nil {
		t.Error("an address is served in two modes")
	}
	out, err = realserver(t, rs, "status")
	must(t, err)
	must(t, contains(out, "10.0.0.101 (dr)", "fd00:a::65 (dr)", "10.0.0.102 (tun)", "all is well"))

	_, err = rs.Run("ip", "address", "del", "10.0.0.102/32", "dev", "tunl0")
	must(t, err)
	must(t, rs.Sysctl("ipv4/conf/all/arp_ignore", "0"))
	must(t, rs.AddAddress("eth1", netip.MustParsePrefix("10.0.0.101/32")))
	out, err = realserver(t, rs, "status")
	must(t, contains(fmt.Sprint(err), "exit status 3"))
	must(t, contains(out, "problem: address tunl0 10.0.0.102/32 is missing", "would answer ARP for the virtual address",
		"problem: address eth1 10.0.0.101 is present, not missing"))
	_, err = rs.Run("ip", "address", "del", "10.0.0.101/32", "dev", "eth1")
	must(t, err)
	_, err = realserver(t, rs, "up --vip 10.0.0.102 --mode tun")
	must(t, err)

	_, err = realserver(t, rs, "down --vip 10.0.0.102")
	must(t, err)
	out, err = realserver(t, rs, "status")
	must(t, err)
	must(t, contains(out, "10.0.0.101 (dr)", "all is well"))
	_, err = realserver(t, rs, "down")
	must(t, err)
	if diff := cmp.Diff(before, interfaces(t, rs)); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
}

// interfaces returns the addresses and settings of a box that realserver changes.
func interfaces(t *testing.T, box *lab.Namespace) string {
	t.Helper()
	out, err := box.Run("sh", "-c", "ip -o address | sed 's/ *[^ ]*lft.*//'; ip -o link | grep -o '^[^>]*>'; sysctl net.ipv4.conf.all.arp_ignore "+
		"net.ipv4.conf.all.arp_announce net.ipv4.conf.tunl0.rp_filter; ip fou show")
	must(t, err)
	return out
}
