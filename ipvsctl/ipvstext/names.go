package ipvstext

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// lookupTimeout is how long the name of one address is waited for.
const lookupTimeout = 2 * time.Second

// Names looks up what addresses and ports are called, as ipvsadm does without
// -n. What has no name stays a number. A nil one looks nothing up.
type Names struct {
	// Host returns the name of an address, "" for none.
	Host func(netip.Addr) string

	ports map[portOf]string
}

// portOf is a port of a protocol, as "tcp".
type portOf struct {
	port     uint16
	protocol string
}

// SystemNames returns the names that the system knows: of addresses in
// /etc/hosts or the DNS, of ports in /etc/services.
func SystemNames(ctx context.Context) *Names {
	known := map[netip.Addr]string{}
	names := &Names{Host: func(addr netip.Addr) string {
		name, ok := known[addr]
		if !ok {
			name = lookup(ctx, addr)
			known[addr] = name // also that it has none: a slow DNS is asked once
		}
		return name
	}}
	if f, err := os.Open("/etc/services"); err == nil { // without it there are no names
		defer f.Close()
		names.ReadServices(f)
	}
	return names
}

func lookup(ctx context.Context, addr netip.Addr) string {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, addr.String())
	if err != nil || len(names) == 0 {
		return ""
	}
	return strings.TrimSuffix(names[0], ".")
}

// ReadServices takes the names of ports from a text like /etc/services. The
// first name of a port counts.
func (n *Names) ReadServices(r io.Reader) {
	n.ports = map[portOf]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		number, protocol, _ := strings.Cut(fields[1], "/")
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			continue
		}
		if key := (portOf{uint16(port), protocol}); n.ports[key] == "" {
			n.ports[key] = fields[0]
		}
	}
}

// maxName is the length at which ipvsadm cuts an address with its port.
const maxName = 59

// addrPort writes an address and a port of a protocol, as "tcp".
func (n *Names) addrPort(a netip.AddrPort, protocol string) string {
	if n == nil {
		return a.String()
	}
	host, port := a.Addr().String(), strconv.Itoa(int(a.Port()))
	if name := n.Host(a.Addr()); name != "" {
		host = name
	}
	if name := n.ports[portOf{a.Port(), strings.ToLower(protocol)}]; name != "" {
		port = name
	}
	if a.Addr().Is6() {
		host = "[" + host + "]"
	}
	return cut(host+":"+port, maxName)
}

// service writes a service's address with its protocol before it.
func (n *Names) service(id ipvsctl.ServiceID) string {
	protocol := strings.ToUpper(id.Protocol.String())
	name := protocol + strings.Repeat(" ", max(0, 4-len(protocol))) + " " + n.addrPort(id.Addr, protocol)
	if id.Addr.Addr().Is6() {
		return name
	}
	return cut(name, 33)
}

// destination writes a real server's address.
func (n *Names) destination(id ipvsctl.ServiceID, a netip.AddrPort) string {
	protocol := ""
	if id.FWMark == 0 {
		protocol = id.Protocol.String()
	}
	name := n.addrPort(a, protocol)
	if a.Addr().Is6() {
		return name
	}
	return cut(name, 28)
}

func cut(s string, length int) string { return s[:min(len(s), length)] }
