package ipvstext_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

func entries() []ipvsctl.ServiceEntry {
	addr := netip.MustParseAddrPort
	return []ipvsctl.ServiceEntry{
		{Service: ipvsctl.Service{ID: ipvsctl.ServiceID{FWMark: 1<<32 - 1, Family: ipvsctl.IPv6}, Scheduler: "mh", Flags: ipvsctl.SchedFlag3}},
		{
			Service: ipvsctl.Service{
				ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: addr("10.0.0.1:80")}, Scheduler: "wrr",
				Persistence: ipvsctl.Persistence{Timeout: 5 * time.Minute, Prefix: 24},
			},
			Stats: ipvs.Stats{
				Connections: 99_999_999, IncomingPackets: 100_000_000, OutgoingPackets: 1_000_000_000,
				IncomingBytes: 100_000_000_000, OutgoingBytes: 100_000_000_000_000,
			},
			Destinations: []ipvsctl.DestinationEntry{
				{Destination: ipvsctl.Destination{Addr: addr("10.0.0.9:80"), Forward: ipvsctl.NAT, Weight: 1, Upper: 9, Lower: 3}, Active: 2, Inactive: 1},
				{Destination: ipvsctl.Destination{Addr: addr("10.0.0.2:80"), Forward: ipvsctl.TUN, Tunnel: ipvsctl.Tunnel{Type: ipvsctl.GRE}}},
			},
		},
		{Service: ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.UDP, Addr: addr("192.0.2.1:53")}, Scheduler: "rr", Flags: ipvsctl.OnePacket}},
		{Service: ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: addr("192.0.2.1:80")}, Scheduler: "rr"}},
	}
}

func TestList(t *testing.T) {
	info := ipvs.Info{Version: [3]int{1, 2, 1}, ConnectionTableSize: 4096}
	tests := []struct {
		options ipvstext.ListOptions
		want    string
	}{
		// ipvsadm takes a mark above 2147483647 for a negative number, and
		// 192.0.2.1 for less than 10.0.0.1.
		{ipvstext.ListOptions{}, `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
FWM  -1 IPv6 mh ()
TCP  192.0.2.1:80 rr
TCP  10.0.0.1:80 wrr persistent 300 mask 255.255.255.0
  -> 10.0.0.2:80                  Tunnel  0      0          0         
  -> 10.0.0.9:80                  Masq    1      2          1         
UDP  192.0.2.1:53 rr ops
`},
		{ipvstext.ListOptions{View: ipvstext.Stats}, `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
FWM  -1 IPv6                             0        0        0        0        0
TCP  192.0.2.1:80                        0        0        0        0        0
TCP  10.0.0.1:80                  99999999  100000K    1000M     100G     100T
  -> 10.0.0.2:80                         0        0        0        0        0
  -> 10.0.0.9:80                         0        0        0        0        0
UDP  192.0.2.1:53                        0        0        0        0        0
`},
	}
	for _, tt := range tests {
		var b strings.Builder
		if err := ipvstext.List(&b, info, entries(), tt.options); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, b.String()); diff != "" {
			t.Errorf("view %d (-want +got):\n%s", tt.options.View, diff)
		}
	}
}

func TestListExact(t *testing.T) {
	var b strings.Builder
	if err := ipvstext.List(&b, ipvs.Info{}, entries()[1:2], ipvstext.ListOptions{View: ipvstext.Stats, Exact: true}); err != nil {
		t.Fatal(err)
	}
	if want := "TCP  10.0.0.1:80                  99999999 100000000 1000000000 100000000000 100000000000000\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %q in\n%s", want, b.String())
	}
}
