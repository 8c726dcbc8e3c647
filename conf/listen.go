package conf

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxServices bounds the kernel services of one virtual server: each of them
// has all the real servers, so ranges multiply.
const maxServices = 4096

// listen is one address and port of a virtual server, and where it stands.
type listen struct {
	addr netip.AddrPort
	at   span
}

// addressKey is the address of a virtual server.
func addressKey() key[virtualServer] {
	return key[virtualServer]{
		name: "address", kind: "IP:PORT",
		doc:  "the virtual address. Ranges make one service each: `192.0.2.10-192.0.2.20:80`, `192.0.2.10:8000-8010`",
		set:  addListen,
		show: func(*virtualServer) string { return "" },
	}
}

// addListen adds the addresses that val stands for.
func addListen(d *decoder, val value, v *virtualServer) {
	if val.kind != textValue {
		d.want("address", val, "IP:PORT in quotes")
		return
	}
	addrs, wrong := parseListen(val.text)
	if wrong != "" {
		d.fail(val.at, "address %q: %s", val.text, wrong)
		return
	}
	if len(v.listens)+len(addrs) > maxServices {
		d.fail(val.at, "address %q: want at most %d addresses and ports in a virtual server", val.text, maxServices)
		return
	}
	for _, addr := range addrs {
		v.listens = append(v.listens, listen{addr, val.at})
	}
}

// parseListen parses "IP:PORT", where both may be ranges, "FIRST-LAST".
func parseListen(s string) ([]netip.AddrPort, string) {
	firstPort, lastPort := "", ""
	host, ports, ok := cutPort(s)
	if ok {
		if firstPort, lastPort, ok = strings.Cut(ports, "-"); !ok {
			lastPort = firstPort
		}
	}
	firstHost, lastHost, hostRange := strings.Cut(host, "-")
	first, wrong := parseServer(joinPort(s, firstHost, firstPort), false)
	if wrong != "" {
		return nil, wrong
	}
	last := first
	if hostRange || lastPort != firstPort {
		if !hostRange {
			lastHost = firstHost
		}
		if last, wrong = parseServer(joinPort(s, lastHost, lastPort), false); wrong != "" {
			return nil, wrong
		}
	}
	if last.Addr().Is4() != first.Addr().Is4() || last.Addr().Less(first.Addr()) || last.Port() < first.Port() {
		return nil, "want a range from the lower to the higher"
	}
	var all []netip.AddrPort
	for addr := first.Addr(); ; addr = addr.Next() {
		for port := int(first.Port()); port <= int(last.Port()); port++ {
			if all = append(all, netip.AddrPortFrom(addr, uint16(port))); len(all) > maxServices {
				return nil, "the range is of more than " + strconv.Itoa(maxServices)
			}
		}
		if addr == last.Addr() {
			return all, ""
		}
	}
}

// joinPort puts host and port together as they were in s.
func joinPort(s, host, port string) string {
	if strings.HasPrefix(s, "[") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}
