package ipvstest

import (
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/lvs-director/director/ipvsctl"
)

// Interface is the network interface of the generated sync daemons. A kernel
// under TestKernel has it, up, able to multicast and with an IPv4 address.
const Interface = "sync0"

// Tables generates valid tables over few addresses, so that two of them share
// rows. Half of those without destinations of mixed families run sync daemons;
// the others have an empty map of daemons.
func Tables() *rapid.Generator[ipvsctl.Table] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Table {
		table := ipvsctl.Table{
			Services: make(map[ipvsctl.ServiceID]ipvsctl.Service),
			Daemons:  make(map[ipvsctl.DaemonState]ipvsctl.Daemon),
			Timeouts: timeouts().Draw(t, "timeouts"),
		}
		mixed := rapid.Bool().Draw(t, "mixed")
		for range rapid.IntRange(0, 6).Draw(t, "services") {
			s := services().Draw(t, "service")
			for range rapid.IntRange(0, 5).Draw(t, "destinations") {
				s.Destinations = append(s.Destinations, destinations(s.ID.AddressFamily(), mixed).Draw(t, "destination"))
			}
			s = s.Normal()
			table.Services[s.ID] = s
		}
		if !mixed {
			for _, role := range []ipvsctl.DaemonState{ipvsctl.SyncMaster, ipvsctl.SyncBackup} {
				if rapid.Bool().Draw(t, "runs") {
					table.Daemons[role] = syncDaemons().Draw(t, "daemon")
				}
			}
		}
		return table
	})
}

func timeouts() *rapid.Generator[ipvsctl.Timeouts] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Timeouts {
		d := rapid.SampledFrom([]time.Duration{0, time.Second, 90 * time.Second, 1500 * time.Millisecond, 24 * time.Hour})
		return ipvsctl.Timeouts{TCP: d.Draw(t, "tcp"), TCPFin: d.Draw(t, "fin"), UDP: d.Draw(t, "udp")}
	})
}

func syncDaemons() *rapid.Generator[ipvsctl.Daemon] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Daemon {
		return ipvsctl.Daemon{
			Interface: Interface,
			SyncID:    rapid.SampledFrom([]uint8{0, 1, 255}).Draw(t, "id"),
			MaxLen:    rapid.SampledFrom([]uint16{0, 500, 1400, 65535}).Draw(t, "maxlen"),
			Group:     rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("224.0.0.99")}).Draw(t, "group"),
			Port:      rapid.SampledFrom([]uint16{0, 8899}).Draw(t, "port"),
			TTL:       rapid.SampledFrom([]uint8{0, 3}).Draw(t, "ttl"),
		}
	})
}

func services() *rapid.Generator[ipvsctl.Service] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Service {
		s := ipvsctl.Service{
			ID: serviceIDs().Draw(t, "id"),
			// Those that Debian builds; twos is not among them.
			Scheduler: rapid.SampledFrom(schedulers[:13]).Draw(t, "scheduler"),
			Flags: ipvsctl.Flags(rapid.SampledFrom([]uint32{
				0, 0, uint32(ipvsctl.SchedFlag1), uint32(ipvsctl.SchedFlag2), uint32(ipvsctl.SchedFlag3 | ipvsctl.SchedFlag1),
			}).Draw(t, "flags")),
		}
		if s.ID.Protocol == ipvsctl.UDP && rapid.Bool().Draw(t, "ops") {
			s.Flags |= ipvsctl.OnePacket
		}
		if rapid.Bool().Draw(t, "persistent") {
			prefixes := []uint8{0, 1, 24, 32}
			if s.ID.AddressFamily() == ipvsctl.IPv6 {
				prefixes = []uint8{0, 1, 64, 128}
			}
			s.Persistence = ipvsctl.Persistence{
				Timeout: rapid.SampledFrom([]time.Duration{time.Second, 5500 * time.Millisecond, time.Hour}).Draw(t, "timeout"),
				Prefix:  rapid.SampledFrom(prefixes).Draw(t, "prefix"),
				Engine:  rapid.SampledFrom([]string{"", "", "sip"}).Draw(t, "engine"),
			}
		}
		return s
	})
}

func serviceIDs() *rapid.Generator[ipvsctl.ServiceID] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.ServiceID {
		if rapid.IntRange(0, 3).Draw(t, "fwmark") == 0 {
			return ipvsctl.ServiceID{
				FWMark: rapid.SampledFrom([]uint32{1, 7, 1<<32 - 1}).Draw(t, "mark"),
				Family: rapid.SampledFrom([]ipvsctl.Family{ipvsctl.IPv4, ipvsctl.IPv6}).Draw(t, "family"),
			}
		}
		addr := rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2", "2001:db8::1"}).Draw(t, "address")
		return ipvsctl.ServiceID{
			Protocol: rapid.SampledFrom([]ipvsctl.Protocol{ipvsctl.TCP, ipvsctl.UDP, ipvsctl.SCTP}).Draw(t, "protocol"),
			Addr:     netip.AddrPortFrom(netip.MustParseAddr(addr), rapid.SampledFrom([]uint16{80, 443, 65535}).Draw(t, "port")),
		}
	})
}

func destinations(f ipvsctl.Family, mixed bool) *rapid.Generator[ipvsctl.Destination] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Destination {
		addrs := map[ipvsctl.Family][]string{
			ipvsctl.IPv4: {"10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1"},
			ipvsctl.IPv6: {"2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3"},
		}
		d := ipvsctl.Destination{
			Forward: rapid.SampledFrom([]ipvsctl.Forward{ipvsctl.NAT, ipvsctl.DR, ipvsctl.TUN}).Draw(t, "forward"),
			Weight:  rapid.SampledFrom([]uint32{0, 1, 3, 1<<31 - 1}).Draw(t, "weight"),
		}
		if mixed && rapid.Bool().Draw(t, "other family") {
			f, d.Forward = ipvsctl.IPv4+ipvsctl.IPv6-f, ipvsctl.TUN
		}
		d.Addr = netip.AddrPortFrom(
			netip.MustParseAddr(rapid.SampledFrom(addrs[f]).Draw(t, "address")),
			rapid.SampledFrom([]uint16{0, 80, 8080}).Draw(t, "port"))
		if rapid.Bool().Draw(t, "limited") {
			d.Upper = rapid.Uint32Range(0, 3).Draw(t, "upper")
			d.Lower = rapid.Uint32Range(0, d.Upper).Draw(t, "lower")
		}
		if d.Forward == ipvsctl.TUN {
			d.Tunnel = rapid.SampledFrom([]ipvsctl.Tunnel{
				{},
				{Type: ipvsctl.GUE, Port: 6080},
				{Type: ipvsctl.GUE, Port: 6080, Flags: ipvsctl.TunnelChecksum},
				{Type: ipvsctl.GUE, Port: 7070, Flags: ipvsctl.TunnelRemoteChecksum},
				{Type: ipvsctl.GRE},
				{Type: ipvsctl.GRE, Flags: ipvsctl.TunnelChecksum},
			}).Draw(t, "tunnel")
		}
		return d
	})
}
