// Package ipvstext reads and writes the texts of ipvsadm 1.31: its listings,
// byte for byte, and the rules that ipvsadm --save writes and --restore reads.
//
// Addresses and ports are numbers, as with ipvsadm -n, unless names are asked for.
package ipvstext

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/cloudflare/ipvs"

	"github.com/lvs-director/director/ipvsctl"
)

// View is what a listing shows of each row.
type View uint8

// The views of a listing, by ipvsadm's names.
const (
	Weights        View = iota // none of the following
	Stats                      // --stats
	Rate                       // --rate
	Thresholds                 // --thresholds
	PersistentConn             // --persistent-conn
	TunnelInfo                 // --tun-info
)

// ListOptions say how to list. The zero value is ipvsadm -Ln.
type ListOptions struct {
	View   View
	Exact  bool // whole numbers instead of thousands and millions
	NoSort bool // the kernel's order
	Single bool // the entry is one that was asked for (-t and so on): no line about the kernel
	Names  *Names
}

// List writes the services as ipvsadm -Ln does. It sorts them in place.
func List(w io.Writer, info ipvs.Info, entries []ipvsctl.ServiceEntry, o ListOptions) error {
	b := bufio.NewWriter(w)
	if !o.Single {
		fmt.Fprintf(b, "IP Virtual Server version %d.%d.%d (size=%d)\n",
			info.Version[0], info.Version[1], info.Version[2], info.ConnectionTableSize)
	}
	b.WriteString(title(o.View))
	if !o.NoSort {
		Sort(entries)
	}
	for _, e := range entries {
		writeService(b, e, o)
		for _, d := range e.Destinations {
			writeDestination(b, e.Service.ID, d, o)
		}
	}
	return b.Flush()
}

func title(v View) string {
	const local, remote = "Prot LocalAddress:Port", "  -> RemoteAddress:Port"
	switch v {
	case Stats:
		return fmt.Sprintf("%-33s %8s %8s %8s %8s %8s\n%s\n", local, "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes", remote)
	case Rate:
		return fmt.Sprintf("%-33s %8s %8s %8s %8s %8s\n%s\n", local, "CPS", "InPPS", "OutPPS", "InBPS", "OutBPS", remote)
	case Thresholds:
		return fmt.Sprintf("%-33s %-10s %-10s %-10s %-10s\n%s\n", local, "Uthreshold", "Lthreshold", "ActiveConn", "InActConn", remote)
	case PersistentConn:
		return fmt.Sprintf("%-33s %-9s %-11s %-10s %-10s\n%s\n", local, "Weight", "PersistConn", "ActiveConn", "InActConn", remote)
	case TunnelInfo:
		return local + " Scheduler Flags\n" + remote + "           Forward TunnelInfo    Weight ActiveConn InActConn\n"
	default:
		return local + " Scheduler Flags\n" + remote + "           Forward Weight ActiveConn InActConn\n"
	}
}

func writeService(b *bufio.Writer, e ipvsctl.ServiceEntry, o ListOptions) {
	name := serviceName(e.Service.ID, o.Names)
	switch o.View {
	case Stats:
		fmt.Fprintf(b, "%-33s", name)
		for _, n := range counters(e.Stats) {
			b.WriteString(number(n, o.Exact))
		}
	case Rate:
		fmt.Fprintf(b, "%-33s", name)
		for _, n := range rates(e.Stats) {
			b.WriteString(number(n, o.Exact))
		}
	default:
		b.WriteString(name + " " + e.Service.Scheduler)
		writeServiceFlags(b, e.Service)
	}
	b.WriteByte('\n')
}

// serviceName names a service. A fwmark is a signed number to ipvsadm, which is
// not so in Save: ipvsadm itself would not read it back.
func serviceName(id ipvsctl.ServiceID, names *Names) string {
	if id.FWMark == 0 {
		return names.service(id)
	}
	if id.Family == ipvsctl.IPv6 {
		return fmt.Sprintf("FWM  %d IPv6", int32(id.FWMark))
	}
	return fmt.Sprintf("FWM  %d", int32(id.FWMark))
}

func writeServiceFlags(b *bufio.Writer, s ipvsctl.Service) {
	if s.Flags&(ipvsctl.SchedFlag1|ipvsctl.SchedFlag2|ipvsctl.SchedFlag3) != 0 {
		b.WriteString(" (" + s.SchedulerFlags() + ")") // empty when a flag has no name
	}
	if p := s.Persistence; p.Timeout != 0 {
		fmt.Fprintf(b, " persistent %d", p.Timeout/time.Second)
		if mask := s.PersistenceMask(); mask != "" {
			b.WriteString(" mask " + mask)
		}
		if p.Engine != "" {
			b.WriteString(" pe " + p.Engine)
		}
	}
	if s.Flags&ipvsctl.OnePacket != 0 {
		b.WriteString(" ops")
	}
}

func writeDestination(b *bufio.Writer, id ipvsctl.ServiceID, e ipvsctl.DestinationEntry, o ListOptions) {
	d := e.Destination
	fmt.Fprintf(b, "  -> %-28s", o.Names.destination(id, d.Addr))
	switch o.View {
	case Stats:
		for _, n := range counters(e.Stats) {
			b.WriteString(number(n, o.Exact))
		}
	case Rate:
		r := rates(e.Stats)
		fmt.Fprintf(b, " %8d %8d %8d%s%s", r[0], r[1], r[2], number(r[3], o.Exact), number(r[4], o.Exact))
	case Thresholds:
		fmt.Fprintf(b, " %-10d %-10d %-10d %-10d", d.Upper, d.Lower, e.Active, e.Inactive)
	case PersistentConn:
		fmt.Fprintf(b, " %-9d %-11d %-10d %-10d", d.Weight, e.Persistent, e.Active, e.Inactive)
	case TunnelInfo:
		fmt.Fprintf(b, " %-7s %-13s %-6d %-10d %-10d", forwardName(d.Forward), tunnelName(d), int32(d.Weight), e.Active, e.Inactive)
	default:
		fmt.Fprintf(b, " %-7s %-6d %-10d %-10d", forwardName(d.Forward), int32(d.Weight), e.Active, e.Inactive)
	}
	b.WriteByte('\n')
}

func forwardName(f ipvsctl.Forward) string {
	switch f {
	case ipvsctl.NAT:
		return "Masq"
	case ipvsctl.Local:
		return "Local"
	case ipvsctl.TUN:
		return "Tunnel"
	default:
		return "Route"
	}
}

// tunnelName describes a tunnel, as gue:6080:+c: with, without, or with remote
// checksums.
func tunnelName(d ipvsctl.Destination) string {
	if d.Forward != ipvsctl.TUN {
		return "n/a"
	}
	checksum := "-c"
	switch {
	case d.Tunnel.Flags&ipvsctl.TunnelChecksum != 0:
		checksum = "+c"
	case d.Tunnel.Flags&ipvsctl.TunnelRemoteChecksum != 0:
		checksum = "r+c"
	}
	switch d.Tunnel.Type {
	case ipvsctl.GUE:
		return fmt.Sprintf("gue:%d:%s", d.Tunnel.Port, checksum)
	case ipvsctl.GRE:
		return "gre:" + checksum
	default:
		return "ipip"
	}
}

func counters(s ipvs.Stats) [5]uint64 {
	return [5]uint64{s.Connections, s.IncomingPackets, s.OutgoingPackets, s.IncomingBytes, s.OutgoingBytes}
}

func rates(s ipvs.Stats) [5]uint64 {
	return [5]uint64{s.ConnectionRate, s.IncomingPacketRate, s.OutgoingPacketRate, s.IncomingByteRate, s.OutgoingByteRate}
}

// number writes a counter in a column of nine, in thousands, millions and so on
// when it is large and not to be exact.
func number(n uint64, exact bool) string {
	switch {
	case exact:
		digits := fmt.Sprint(n)
		if len(digits) <= 8 {
			return fmt.Sprintf("%9s", digits)
		}
		return " " + digits
	case n < 100_000_000:
		return fmt.Sprintf("%9d", n)
	case n < 1_000_000_000:
		return fmt.Sprintf("%8dK", n/1000)
	case n < 100_000_000_000:
		return fmt.Sprintf("%8dM", n/1_000_000)
	case n < 100_000_000_000_000:
		return fmt.Sprintf("%8dG", n/1_000_000_000)
	default:
		return fmt.Sprintf("%8dT", n/1_000_000_000_000)
	}
}

// Timeouts writes the time-outs as ipvsadm -L --timeout does.
func Timeouts(w io.Writer, t ipvsctl.Timeouts) error {
	_, err := fmt.Fprintf(w, "Timeout (tcp tcpfin udp): %d %d %d\n", t.TCP/time.Second, t.TCPFin/time.Second, t.UDP/time.Second)
	return err
}

// Daemons writes the running sync daemons as ipvsadm -L --daemon does.
func Daemons(w io.Writer, daemons map[ipvsctl.DaemonState]ipvsctl.Daemon) error {
	for _, role := range []ipvsctl.DaemonState{ipvsctl.SyncMaster, ipvsctl.SyncBackup} {
		d, ok := daemons[role]
		if !ok {
			continue
		}
		var rest strings.Builder
		for _, f := range []struct {
			name string
			n    uint
		}{{"maxlen", uint(d.MaxLen)}, {"port", uint(d.Port)}, {"ttl", uint(d.TTL)}} {
			if f.n != 0 {
				fmt.Fprintf(&rest, ", %s=%d", f.name, f.n)
			}
			if f.name == "maxlen" && d.Group != (netip.Addr{}) {
				fmt.Fprintf(&rest, ", group=%s", d.Group)
			}
		}
		if _, err := fmt.Fprintf(w, "%s sync daemon (mcast=%s, syncid=%d%s)\n", role, d.Interface, d.SyncID, rest.String()); err != nil {
			return err
		}
	}
	return nil
}

// Save writes the services as ipvsadm -Sn does. Like it, and unlike
// ipvsctl.Table's String, it leaves out the connection limits.
func Save(w io.Writer, entries []ipvsctl.ServiceEntry) error {
	Sort(entries)
	b := bufio.NewWriter(w)
	for _, e := range entries {
		fmt.Fprintln(b, ipvsctl.Op{Kind: ipvsctl.AddService, Service: e.Service})
		for _, d := range e.Destinations {
			dest := d.Destination
			dest.Upper, dest.Lower = 0, 0
			fmt.Fprintln(b, ipvsctl.Op{Kind: ipvsctl.AddDestination, Service: e.Service, Destination: dest})
		}
	}
	return b.Flush()
}
