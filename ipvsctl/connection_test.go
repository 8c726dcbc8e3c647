package ipvsctl_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/ipvsctl"
)

const connectionTable = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP 0A00000A C000 C0000201 0050 0A000001 1F90 ESTABLISHED     899
IP  0A000000 0000 00000007 0000 0A000001 0000 NONE            120
UDP 0A00000A 13C4 C0000201 13C4 0A000001 13C4 UDP              60 sip 2046@10.0.0.10
TCP 2001:0db8:0000:0000:0000:0000:0000:000a C000 2001:0db8:0000:0000:0000:0000:0000:0001 0050 0A000001 0050 TIME_WAIT        61
`

func TestReadConnections(t *testing.T) {
	addr := netip.MustParseAddrPort
	want := []ipvsctl.Connection{
		{Protocol: "TCP", Client: addr("10.0.0.10:49152"), Virtual: addr("192.0.2.1:80"), Destination: addr("10.0.0.1:8080"),
			State: "ESTABLISHED", Expires: 899 * time.Second},
		{Protocol: "IP", Client: addr("10.0.0.0:0"), Virtual: addr("0.0.0.7:0"), Destination: addr("10.0.0.1:0"),
			State: "NONE", Expires: 2 * time.Minute},
		{Protocol: "UDP", Client: addr("10.0.0.10:5060"), Virtual: addr("192.0.2.1:5060"), Destination: addr("10.0.0.1:5060"),
			State: "UDP", Expires: time.Minute, Engine: "sip", EngineData: "2046@10.0.0.10"},
		{Protocol: "TCP", Client: addr("[2001:db8::a]:49152"), Virtual: addr("[2001:db8::1]:80"), Destination: addr("10.0.0.1:80"),
			State: "TIME_WAIT", Expires: 61 * time.Second},
	}
	var got []ipvsctl.Connection
	for c, err := range ipvsctl.ReadConnections(strings.NewReader(connectionTable)) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		got = append(got, c)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestReadConnectionsBad(t *testing.T) {
	for _, line := range []string{
		"TCP 0A00000A C000",
		"TCP 0A00000X C000 C0000201 0050 0A000001 1F90 ESTABLISHED 899",
		"TCP 0A00000A CCCCC C0000201 0050 0A000001 1F90 ESTABLISHED 899",
		"TCP 0A00000A C000 C0000201 0050 0A000001 1F90 ESTABLISHED -1",
		"TCP 0A00000A C000 C0000201 0050 10.0.0.1 1F90 ESTABLISHED 1",
		strings.Repeat("x", 1<<16),
	} {
		failed := false
		for _, err := range ipvsctl.ReadConnections(strings.NewReader(line + "\n")) {
			failed = err != nil
		}
		if !failed {
			t.Errorf("%.80q was taken", line)
		}
	}
}

func FuzzReadConnections(f *testing.F) {
	f.Add(connectionTable)
	f.Fuzz(func(t *testing.T, s string) {
		for c, err := range ipvsctl.ReadConnections(strings.NewReader(s)) {
			if err == nil && (!c.Client.IsValid() || !c.Virtual.IsValid() || !c.Destination.IsValid()) {
				t.Errorf("connection %+v of %q", c, s)
			}
		}
	})
}
