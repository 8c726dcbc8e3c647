package ipvstext

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// defaultPersistence is ipvsadm's, when -p has no value.
const defaultPersistence = "360"

// parser collects what the options of one command say.
type parser struct {
	command string
	allowed map[string]bool
	op      ipvsctl.Op
	six     bool   // -6
	mask    string // -M, which means a prefix when the service is known
	flags   string // -b, whose names depend on the scheduler
	real    string // -r, whose port may be the service's
	method  string // the first of -g, -i and -m
	tunnel  bool   // some option about a tunnel was there
}

func (p *parser) option(name, value string) (err error) {
	s, d := &p.op.Service, &p.op.Destination
	switch name {
	case "-t":
		err = p.service(ipvsctl.TCP, value)
	case "-u":
		err = p.service(ipvsctl.UDP, value)
	case "--sctp-service":
		err = p.service(ipvsctl.SCTP, value)
	case "-f":
		err = p.fwmark(value)
	case "-6":
		p.six = true
	case "-s":
		s.Scheduler = value
	case "-p":
		err = parseSeconds(&s.Persistence.Timeout, cmp.Or(value, defaultPersistence), 1)
	case "-M":
		p.mask = value
	case "--pe":
		s.Persistence.Engine = value
	case "-o":
		s.Flags |= ipvsctl.OnePacket
	case "-b":
		p.flags = value
	case "-r":
		p.real = value
	case "-g":
		err = p.forward(name, ipvsctl.DR)
	case "-i":
		err = p.forward(name, ipvsctl.TUN)
	case "-m":
		err = p.forward(name, ipvsctl.NAT)
	case "-w":
		err = parseNumber(&d.Weight, value, 0, 1<<31-1)
	case "-x":
		err = parseNumber(&d.Upper, value, 0, 1<<31-1)
	case "-y":
		err = parseNumber(&d.Lower, value, 0, 1<<31-1)
	default:
		if strings.HasPrefix(name, "--tun-") {
			p.tunnel = true
			return p.tunnelOption(name, value)
		}
		return p.daemonOption(name, value)
	}
	return err
}

func (p *parser) tunnelOption(name, value string) error {
	t := &p.op.Destination.Tunnel
	switch name {
	case "--tun-type":
		i := slices.Index([]string{"ipip", "gue", "gre"}, value)
		if i < 0 {
			return fmt.Errorf("unknown type %q, not one of ipip, gue and gre", value)
		}
		t.Type = ipvsctl.TunnelType(i)
	case "--tun-port":
		return parseNumber(&t.Port, value, 1, 65535)
	case "--tun-csum":
		t.Flags |= ipvsctl.TunnelChecksum
	case "--tun-remcsum":
		t.Flags |= ipvsctl.TunnelRemoteChecksum
	}
	return nil
}

func (p *parser) daemonOption(name, value string) (err error) {
	d := &p.op.Daemon
	switch name {
	case "--mcast-interface":
		d.Interface = value
	case "--syncid":
		err = parseNumber(&d.SyncID, value, 0, 255)
	case "--sync-maxlen":
		err = parseNumber(&d.MaxLen, value, 1, 65507)
	case "--mcast-group":
		if d.Group, err = netip.ParseAddr(value); err == nil && !d.Group.IsMulticast() {
			err = fmt.Errorf("%s is no multicast address", value)
		}
	case "--mcast-port":
		err = parseNumber(&d.Port, value, 1, 65535)
	case "--mcast-ttl":
		err = parseNumber(&d.TTL, value, 1, 255)
	default:
		err = errors.New("unknown option")
	}
	return err
}

// forward sets the forwarding method, which is given once.
func (p *parser) forward(name string, f ipvsctl.Forward) error {
	if p.method != "" {
		return fmt.Errorf("there is %s already", p.method)
	}
	p.method, p.op.Destination.Forward = name, f
	return nil
}

// service sets the service, which is named once.
func (p *parser) service(protocol ipvsctl.Protocol, value string) error {
	addr, err := parseAddrPort(value, 0)
	if err != nil {
		return err
	}
	if p.op.Service.ID != (ipvsctl.ServiceID{}) {
		return errors.New("there is a service already")
	}
	p.op.Service.ID = ipvsctl.ServiceID{Protocol: protocol, Addr: addr}
	return nil
}

func (p *parser) fwmark(value string) error {
	if p.op.Service.ID != (ipvsctl.ServiceID{}) {
		return errors.New("there is a service already")
	}
	p.op.Service.ID.Family = ipvsctl.IPv4
	return parseNumber(&p.op.Service.ID.FWMark, value, 1, 1<<32-1)
}

// role reads the role of a sync daemon.
func (p *parser) role(args []string) ([]string, error) {
	if len(args) > 0 {
		for _, role := range []ipvsctl.DaemonState{ipvsctl.SyncMaster, ipvsctl.SyncBackup} {
			if args[0] == role.String() {
				p.op.State = role
				return args[1:], nil
			}
		}
	}
	return nil, fmt.Errorf("%s needs master or backup", p.command)
}

// timeouts reads the three time-outs.
func (p *parser) timeouts(args []string) ([]string, error) {
	if len(args) < 3 {
		return nil, fmt.Errorf("%s needs three numbers of seconds: tcp, tcpfin, udp", p.command)
	}
	t := &p.op.Timeouts
	for i, into := range []*time.Duration{&t.TCP, &t.TCPFin, &t.UDP} {
		if err := parseSeconds(into, args[i], 0); err != nil {
			return nil, err
		}
	}
	return args[3:], nil
}

// parseAddrPort reads an address, IPv6 in brackets, and perhaps a port.
func parseAddrPort(s string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Addr().Zone() == "" {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(bare)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address with a port; names are not looked up", s)
	}
	return netip.AddrPortFrom(a.Unmap(), port), nil
}

// parseMask reads a persistence mask: a prefix length for IPv6, for IPv4 a mask.
func parseMask(family ipvsctl.Family, s string) (uint8, error) {
	if family == ipvsctl.IPv6 {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil || n < 1 || n > 128 {
			return 0, fmt.Errorf("%q is not a prefix length from 1 to 128", s)
		}
		return uint8(n), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("%q is not a mask", s)
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^mask)
	if mask == 0 || mask<<n != 0 {
		return 0, fmt.Errorf("%s is not a mask of leading bits", s)
	}
	return uint8(n), nil
}

// parseFlags reads the scheduler flags by their names.
func parseFlags(scheduler, names string) (ipvsctl.Flags, error) {
	var set ipvsctl.Flags
	for name := range strings.SplitSeq(names, ",") {
		flag, ok := map[string]ipvsctl.Flags{
			"flag-1": ipvsctl.SchedFlag1, "flag-2": ipvsctl.SchedFlag2, "flag-3": ipvsctl.SchedFlag3,
			"sh-fallback": ipvsctl.SHFallback, "sh-port": ipvsctl.SHPort,
			"mh-fallback": ipvsctl.MHFallback, "mh-port": ipvsctl.MHPort,
		}[name]
		if !ok {
			return 0, fmt.Errorf("unknown scheduler flag %q", name)
		}
		if owner, _, _ := strings.Cut(name, "-"); owner != "flag" && owner != scheduler {
			return 0, fmt.Errorf("scheduler flag %s is not one of %s", name, scheduler)
		}
		set |= flag
	}
	return set, nil
}

func parseNumber[T uint8 | uint16 | uint32](into *T, s string, low, high uint64) error {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a number from %d to %d", s, low, high)
	}
	*into = T(n)
	return nil
}

// maxSeconds is the largest number of seconds that the kernel holds in jiffies.
const maxSeconds = (1<<31 - 1) / 1000

func parseSeconds(into *time.Duration, s string, low uint64) error {
	var n uint32
	if err := parseNumber(&n, s, low, maxSeconds); err != nil {
		return err
	}
	*into = time.Duration(n) * time.Second
	return nil
}
