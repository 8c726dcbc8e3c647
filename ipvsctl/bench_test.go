package ipvsctl_test

import (
	"net/netip"
	"testing"

	"github.com/lvs-director/director/ipvsctl"
)

// largeTable has services with destinations each.
func largeTable(services, destinations int) ipvsctl.Table {
	t := ipvsctl.Table{Services: make(map[ipvsctl.ServiceID]ipvsctl.Service, services)}
	for n := range services {
		s := virtual(ipvsctl.ServiceID{
			Protocol: ipvsctl.TCP, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 80),
		})
		for d := range destinations {
			x := n*destinations + d
			s.Destinations = append(s.Destinations, ipvsctl.Destination{
				Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(x >> 16), byte(x >> 8), byte(x)}), 80), Forward: ipvsctl.NAT, Weight: 1,
			})
		}
		t.Services[s.ID] = s
	}
	return t
}

func BenchmarkDiff(b *testing.B) {
	want := largeTable(1000, 10)
	b.Run("equal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ipvsctl.Diff(want, want, ipvsctl.Ownership{})
		}
	})
	b.Run("from empty", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ipvsctl.Diff(ipvsctl.Table{}, want, ipvsctl.Ownership{})
		}
	})
}
