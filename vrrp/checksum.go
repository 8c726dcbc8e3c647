package vrrp

import "net/netip"

// checksum is the Internet checksum (RFC 1071) of b, begun with sum. Over bytes
// that hold their own checksum it is zero.
func checksum(b []byte, sum uint32) uint16 {
	return ^fold(sum + add(b))
}

// pseudoHeader is the sum of the pseudo-header of RFC 8200, section 8.1, which
// for IPv4 is that of TCP (RFC 9293, section 3.1): addresses, length, protocol.
func pseudoHeader(src, dst netip.Addr, length int) uint32 {
	var sum uint32
	for _, ip := range [2]netip.Addr{src, dst} {
		if ip.Is4() {
			four := ip.As4()
			sum += add(four[:])
		} else {
			sixteen := ip.As16()
			sum += add(sixteen[:])
		}
	}
	return sum + uint32(length) + protocolNumber
}

// add sums b as 16-bit big-endian words. A VRRP packet is far too short for 32
// bits to overflow.
func add(b []byte) uint32 {
	var sum uint32
	for len(b) >= 2 {
		sum += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// fold brings a sum down to the 16 bits of one's complement arithmetic.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
