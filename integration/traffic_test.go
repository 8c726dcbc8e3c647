//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/lab"
)

// TestTraffic carries HTTP from the client to three real servers by each
// forwarding method. Weighted round robin is deterministic: the shares are exact.
func TestTraffic(t *testing.T) {
	tests := []struct {
		forward string
		flag    string // of ipvsadm, before the weight
		tunnel  string // and after
		servers func(i int) netip.Addr
		prepare func(n *lab.Network, rs *lab.Namespace) error
	}{
		{"nat", "-m", "", lab.ServerAddr, func(*lab.Network, *lab.Namespace) error { return nil }},
		{"dr", "-g", "", lab.ServerFrontAddr, func(_ *lab.Network, rs *lab.Namespace) error { return acceptVIP(rs, "lo") }},
		{"tun", "-i", " --tun-type ipip", lab.ServerAddr, func(_ *lab.Network, rs *lab.Namespace) error { return acceptVIP(rs, "tunl0") }},
	}
	for _, tt := range tests {
		t.Run(tt.forward, func(t *testing.T) {
			n := newNetwork(t, lab.Options{Servers: 3, Front: tt.forward != "nat"})
			servers(t, n)
			for _, rs := range n.Servers {
				must(t, tt.prepare(n, rs))
			}
			config := group{priority: 150, interval: 100 * time.Millisecond, inside: true}.String() +
				fmt.Sprintf("virtual_server \"web\" {\n  address = \"10.0.0.100:80\"\n  scheduler = \"wrr\"\n  forward = %q\n", tt.forward) +
				"  check \"http\" {\n    path = \"/\"\n    interval = \"500ms\"\n    rise = 1\n  }\n"
			for i := 1; i <= 3; i++ {
				config += fmt.Sprintf("  real_server \"%v:80\" { weight = %d }\n", tt.servers(i), i)
			}
			d := startDirector(t, n, n.A, config+"}\n")
			must(t, d.AwaitGroup("front", "MASTER", 10*time.Second))
			for i := 1; i <= 3; i++ {
				_, err := d.AwaitReal("web", tt.servers(i).String()+":80", "up", 10*time.Second)
				must(t, err)
			}

			table, err := n.A.Table()
			must(t, err)
			want := []string{"-A -t 10.0.0.100:80 -s wrr"}
			for i := 1; i <= 3; i++ {
				want = append(want, fmt.Sprintf("-a -t 10.0.0.100:80 -r %v:80 %s -w %d%s", tt.servers(i), tt.flag, i, tt.tunnel))
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, table); diff != "" {
				t.Errorf("ipvsadm -Sn (-want +got):\n%s", diff)
			}
			names, err := n.Client.GetAll(t.Context(), at(80), 600)
			must(t, err)
			if diff := cmp.Diff(map[string]int{"rs1": 100, "rs2": 200, "rs3": 300}, lab.Shares(names)); diff != "" {
				t.Errorf("shares of 600 connections (-want +got):\n%s\nin this order: %v", diff, names)
			}
		})
	}
}

// acceptVIP makes a real server take packets for the virtual address, and not
// say so by ARP.
func acceptVIP(rs *lab.Namespace, link string) error {
	if err := rs.SetUp(link); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2", "ipv4/conf/" + link + "/rp_filter": "0",
	} {
		if err := rs.Sysctl(name, value); err != nil {
			return err
		}
	}
	return rs.AddAddress(link, netip.PrefixFrom(lab.VIP(0), 32))
}
