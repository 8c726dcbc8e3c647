package ipvsctl

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// What is encoded for the kernel reads back the same, since its listings have
// the attributes of its commands.
func TestEncodeDecode(t *testing.T) {
	services := []Service{
		{ID: ServiceID{Protocol: TCP, Addr: mustAddrPort("192.0.2.1:80")}, Scheduler: "wrr"},
		{ID: ServiceID{Protocol: SCTP, Addr: mustAddrPort("[2001:db8::1]:443")}, Scheduler: "mh", Flags: MHFallback | MHPort},
		{ID: ServiceID{FWMark: 1<<32 - 1, Family: IPv6}, Scheduler: "rr", Persistence: Persistence{Timeout: time.Hour, Prefix: 64}},
		{ID: ServiceID{Protocol: UDP, Addr: mustAddrPort("192.0.2.1:5060")}, Scheduler: "rr", Flags: OnePacket,
			Persistence: Persistence{Timeout: time.Minute, Prefix: 24, Engine: "sip"}},
	}
	for _, want := range services {
		var e encoder
		if err := e.encodeOp(1, 0, 1, Op{Kind: AddService, Service: want}); err != nil {
			t.Fatalf("encode %s: %v", want.ID, err)
		}
		var row serviceRow
		if err := decodeService(e.b[netlinkHeaderLen+genlHeaderLen:], &row, true); err != nil {
			t.Fatalf("decode %s: %v", want.ID, err)
		}
		if diff := cmp.Diff(want, row.Service, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("service (-want +got):\n%s", diff)
		}
	}
}

func TestEncodeDecodeDestination(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Destination{
			Addr: netip.AddrPortFrom(rapid.SampledFrom([]netip.Addr{
				netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"),
			}).Draw(t, "addr"), rapid.Uint16().Draw(t, "port")),
			Forward: rapid.SampledFrom([]Forward{NAT, DR, TUN, Local, Bypass}).Draw(t, "forward"),
			Weight:  rapid.Uint32().Draw(t, "weight"),
			Upper:   rapid.Uint32().Draw(t, "upper"),
			Lower:   rapid.Uint32().Draw(t, "lower"),
			Tunnel: Tunnel{
				Type:  rapid.SampledFrom([]TunnelType{IPIP, GUE, GRE}).Draw(t, "type"),
				Port:  rapid.Uint16().Draw(t, "tunnel port"),
				Flags: TunnelFlags(rapid.Uint16Range(0, 3).Draw(t, "flags")),
			},
		}.Normal()
		var e encoder
		id := ServiceID{Protocol: TCP, Addr: mustAddrPort("192.0.2.1:80")}
		if err := e.encodeOp(1, 0, 1, Op{Kind: AddDestination, Service: Service{ID: id}, Destination: want}); err != nil {
			t.Fatalf("encode: %v", err)
		}
		var row destRow
		if err := decodeDest(e.b[netlinkHeaderLen+genlHeaderLen:], IPv4, &row, true); err != nil {
			t.Fatalf("decode: %v", err)
		}
		if row.Destination != want {
			t.Fatalf("got %+v, want %+v", row.Destination, want)
		}
	})
}

// FuzzDecode reads anything as what the kernel lists.
func FuzzDecode(f *testing.F) {
	var e encoder
	if err := e.encodeOp(1, 0, 1, Op{Kind: AddDestination,
		Service:     Service{ID: ServiceID{Protocol: TCP, Addr: mustAddrPort("192.0.2.1:80")}},
		Destination: Destination{Addr: mustAddrPort("10.0.0.1:80"), Forward: NAT},
	}); err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte(nil), e.b...))
	e.b = e.b[:0]
	e.daemonOp(e.message(1, 0, 1, cmdNewDaemon), Op{State: SyncMaster, Daemon: Daemon{Interface: "eth0"}}, true)
	f.Add(append([]byte(nil), e.b...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			m, rest, err := nextMessage(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
			b = rest
			_, _ = m.errno()
			attrs, err := m.attrs()
			if err != nil {
				continue
			}
			var s serviceRow
			if decodeService(attrs, &s, true) == nil && s.ID != (ServiceID{}) {
				_ = Op{Kind: AddService, Service: s.Service}.String()
			}
			var d destRow
			if decodeDest(attrs, IPv6, &d, true) == nil {
				_ = Op{Kind: AddDestination, Destination: d.Destination}.String()
			}
			_, _, _ = decodeDaemon(attrs)
		}
	})
}
