package engine

import (
	"errors"
	"fmt"
	"net/netip"
)

// Target names the real servers that an operator means: at least a virtual
// server or an address.
type Target struct {
	VirtualServer string     // empty: every one
	Address       netip.Addr // the host; invalid: every one of the virtual server
	Port          uint16     // of OnePort; 0 is that of a real server without one
	OnePort       bool       // else it is every port of the host
}

// ParseTarget reads a target as an operator writes it. virtual may be empty.
// real is an address with a port, an address alone for every port of the host,
// or "all" for all real servers of the virtual server.
func ParseTarget(virtual, real string) (Target, error) {
	t := Target{VirtualServer: virtual}
	if real == "all" {
		if virtual == "" {
			return Target{}, errors.New(`"all" needs a virtual server`)
		}
		return t, nil
	}
	if addr, err := netip.ParseAddr(real); err == nil {
		t.Address = addr.Unmap()
		return t, nil
	}
	addr, err := netip.ParseAddrPort(real)
	if err != nil {
		return Target{}, fmt.Errorf("%q is neither an address, nor one with a port, nor \"all\"", real)
	}
	t.Address, t.Port, t.OnePort = addr.Addr().Unmap(), addr.Port(), true
	return t, nil
}

// String returns the target as an operator writes it.
func (t Target) String() string {
	real := "all"
	switch {
	case t.OnePort:
		real = netip.AddrPortFrom(t.Address, t.Port).String()
	case t.Address.IsValid():
		real = t.Address.String()
	}
	if t.VirtualServer == "" {
		return real
	}
	return t.VirtualServer + " " + real
}

// Matches tells whether the target means a real server. The zero Target means all.
func (t Target) Matches(virtual string, addr netip.AddrPort) bool {
	return (t.VirtualServer == "" || t.VirtualServer == virtual) &&
		(!t.Address.IsValid() || t.Address == addr.Addr()) &&
		(!t.OnePort || t.Port == addr.Port())
}
