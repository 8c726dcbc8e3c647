package marks

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/ipvsctl"
)

// In a map of nftables a key of several values has each of them filled up to
// four bytes (register size): address, protocol, port.
const (
	wordSize = 4
	keySize4 = 4 + 2*wordSize
	keySize6 = 16 + 2*wordSize
)

var protocols = map[ipvsctl.Protocol]byte{ipvsctl.TCP: unix.IPPROTO_TCP, ipvsctl.UDP: unix.IPPROTO_UDP, ipvsctl.SCTP: unix.IPPROTO_SCTP}

// key returns the key of a target.
func (t Target) key() []byte {
	key := make([]byte, 0, keySize6)
	key = append(key, t.Addr.Addr().AsSlice()...)
	key = append(key, protocols[t.Protocol], 0, 0, 0)
	key = binary.BigEndian.AppendUint16(key, t.Addr.Port())
	return append(key, 0, 0)
}

// parseKey returns the target of a key.
func parseKey(key []byte) (Target, error) {
	if len(key) != keySize4 && len(key) != keySize6 {
		return Target{}, fmt.Errorf("a key of %d bytes", len(key))
	}
	rest := key[len(key)-2*wordSize:]
	addr, _ := netip.AddrFromSlice(key[:len(key)-2*wordSize]) // 4 or 16 bytes
	for protocol, number := range protocols {
		if number == rest[0] {
			return Target{protocol, netip.AddrPortFrom(addr, binary.BigEndian.Uint16(rest[wordSize:]))}, nil
		}
	}
	return Target{}, fmt.Errorf("protocol number %d", rest[0])
}
