package ipvstext_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cloudflare/ipvs"
	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

// Names are cut where ipvsadm cuts them, and a mark has no port of a protocol.
func TestNames(t *testing.T) {
	addr := netip.MustParseAddrPort
	hosts := map[string]string{
		"192.0.2.1": "www.example.net", "10.0.0.1": "a-real-server-with-a-long-name.example.net",
		"10.0.0.2": "rs2", "2001:db8::1": "www6.example.net",
	}
	names := &ipvstext.Names{Host: func(a netip.Addr) string { return hosts[a.String()] }}
	names.ReadServices(strings.NewReader("# a comment\nhttp\t80/tcp\twww # WorldWideWeb\nhttp-alt 80/tcp\nweb 80/udp\nbad x/tcp\nshort\n"))
	entries := []ipvsctl.ServiceEntry{
		{
			Service:      ipvsctl.Service{ID: ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv4}, Scheduler: "rr"},
			Destinations: []ipvsctl.DestinationEntry{{Destination: ipvsctl.Destination{Addr: addr("10.0.0.2:80"), Forward: ipvsctl.NAT}}},
		},
		{
			Service: ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: addr("192.0.2.1:80")}, Scheduler: "rr"},
			Destinations: []ipvsctl.DestinationEntry{
				{Destination: ipvsctl.Destination{Addr: addr("10.0.0.1:80"), Forward: ipvsctl.NAT}},
				{Destination: ipvsctl.Destination{Addr: addr("10.0.0.3:81"), Forward: ipvsctl.NAT}},
			},
		},
		{Service: ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: addr("[2001:db8::1]:80")}, Scheduler: "rr"}},
		{Service: ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.UDP, Addr: addr("10.0.0.1:80")}, Scheduler: "rr"}},
	}
	var got strings.Builder
	info := ipvs.Info{Version: [3]int{1, 2, 1}, ConnectionTableSize: 4096}
	if err := ipvstext.List(&got, info, entries, ipvstext.ListOptions{NoSort: true, Names: names}); err != nil {
		t.Fatal(err)
	}
	want := `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
FWM  7 rr
  -> rs2:80                       Masq    0      0          0         
TCP  www.example.net:http rr
  -> a-real-server-with-a-long-na Masq    0      0          0         
  -> 10.0.0.3:81                  Masq    0      0          0         
TCP  [www6.example.net]:http rr
UDP  a-real-server-with-a-long-na rr
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}
