package conf

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseServer parses "IP:PORT" or, with the port optional, "IP". The last
// result says in words what is wrong, and is empty when nothing is.
func parseServer(s string, portOptional bool) (netip.AddrPort, string) {
	const form = "want IP:PORT, such as 10.0.0.1:80 or [2001:db8::1]:80"
	if portOptional {
		bare, inBrackets := strings.CutPrefix(s, "[")
		if inBrackets {
			bare, inBrackets = strings.CutSuffix(bare, "]")
		}
		if addr, err := netip.ParseAddr(bare); err == nil && (bare == s || inBrackets && addr.Is6()) {
			return netip.AddrPortFrom(addr.Unmap(), 0), refuseAddr(addr.Unmap())
		}
	}
	host, port, ok := cutPort(s)
	if !ok {
		return netip.AddrPort{}, form
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is6() == (s[0] != '[') {
		return netip.AddrPort{}, form
	}
	n, wrong := parsePort(port)
	if wrong == "" {
		wrong = refuseAddr(addr.Unmap())
	}
	return netip.AddrPortFrom(addr.Unmap(), n), wrong
}

// cutPort cuts "host:port" and "[host]:port" at the colon before the port.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	if host[0] == '[' {
		if len(host) < 2 || host[len(host)-1] != ']' {
			return "", "", false
		}
		host = host[1 : len(host)-1]
	}
	return host, port, true
}

// parsePort parses a port.
func parsePort(s string) (uint16, string) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, "port " + quote(s) + ": want 1 to 65535"
	}
	if n < 1 || n > 65535 {
		return 0, "port " + s + ": want 1 to 65535"
	}
	return uint16(n), ""
}

// refuseAddr says why addr cannot be the address of one server.
func refuseAddr(addr netip.Addr) string {
	switch {
	case addr.Zone() != "":
		return "want an address without a zone"
	case addr.IsUnspecified():
		return "want the address of one machine, not the unspecified address"
	case addr.IsMulticast():
		return "want the address of one machine, not a multicast address"
	}
	return ""
}

// parseVIP parses "IP/LEN" or "IP", which is an address that stands alone.
func parseVIP(s string) (netip.Prefix, string) {
	const form = "want IP/LEN, such as 192.0.2.10/24 or 2001:db8::10/64"
	var prefix netip.Prefix
	if addr, err := netip.ParseAddr(s); err == nil {
		prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
	} else if prefix, err = netip.ParsePrefix(s); err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, form
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, form
	}
	return prefix, refuseAddr(prefix.Addr())
}

// checkInterface says what an interface name has to be when s is none
// (dev_valid_name in net/core/dev.c).
func checkInterface(s string) string {
	if s == "" || len(s) > 15 || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\v\f\r") {
		return "the name of a network interface, at most 15 characters"
	}
	return ""
}
