package ipvstext

import (
	"cmp"
	"encoding/binary"
	"net/netip"

	"github.com/lvs-director/director/ipvsctl"
)

// Sort sorts services and their destinations as ipvsadm does: by fwmark, family,
// protocol, address and port.
//
// ipvsadm subtracts numbers of 32 bits and looks at the difference's sign, so
// that 192.0.2.1 comes before 10.0.0.1, and that there are sets of addresses
// that have no order at all. For the same text as its, this does the same, with
// the algorithm of the C library's qsort.
func Sort(entries []ipvsctl.ServiceEntry) {
	mergeSort(entries, func(a, b ipvsctl.ServiceEntry) int { return compareServices(a.Service.ID, b.Service.ID) })
	for i := range entries {
		mergeSort(entries[i].Destinations, func(a, b ipvsctl.DestinationEntry) int {
			return compareAddrPorts(a.Destination.Addr, b.Destination.Addr)
		})
	}
}

func compareServices(a, b ipvsctl.ServiceID) int {
	return cmp.Or(
		difference(a.FWMark, b.FWMark),
		cmp.Compare(a.AddressFamily(), b.AddressFamily()),
		cmp.Compare(a.Protocol, b.Protocol),
		compareAddrPorts(a.Addr, b.Addr),
	)
}

// compareAddrPorts compares in words of 32 bits, as many as the first address
// has. Of a service the families are equal, but not of its destinations: there
// an IPv4 address is compared with the beginning of an IPv6 one.
func compareAddrPorts(a, b netip.AddrPort) int {
	if !a.IsValid() || !b.IsValid() {
		return 0 // services by fwmark
	}
	var x, y [16]byte
	width := copy(x[:], a.Addr().AsSlice())
	copy(y[:], b.Addr().AsSlice())
	for i := 0; i < width; i += 4 {
		if c := difference(binary.BigEndian.Uint32(x[i:]), binary.BigEndian.Uint32(y[i:])); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Port(), b.Port())
}

// difference is the sign of a difference that wraps around.
func difference(a, b uint32) int {
	return cmp.Compare(int32(a-b), 0)
}

// mergeSort sorts as qsort of the GNU C library does, which makes a difference
// when compare is not transitive.
func mergeSort[T any](s []T, compare func(a, b T) int) {
	if len(s) < 2 {
		return
	}
	left, right := s[:len(s)/2], s[len(s)/2:]
	mergeSort(left, compare)
	mergeSort(right, compare)
	merged := make([]T, 0, len(s))
	for len(left) > 0 && len(right) > 0 {
		if compare(left[0], right[0]) <= 0 {
			merged, left = append(merged, left[0]), left[1:]
		} else {
			merged, right = append(merged, right[0]), right[1:]
		}
	}
	merged = append(append(merged, left...), right...)
	copy(s, merged)
}
