package ipvsctl

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// String returns the table as ipvsadm -Sn would save it, followed by the sync
// daemons and the time-outs as the command lines that set them. The order is
// that of Diff, so that two equal tables have one text.
func (t Table) String() string {
	t = t.Normal()
	var b strings.Builder
	for _, id := range t.SortedIDs() {
		s := t.Services[id]
		writeServiceRule(&b, "-A ", s)
		b.WriteByte('\n')
		for _, d := range s.Destinations {
			writeDestinationRule(&b, "-a ", id, d)
			b.WriteByte('\n')
		}
	}
	for _, role := range []DaemonState{SyncMaster, SyncBackup} {
		if d, ok := t.Daemons[role]; ok {
			writeDaemonRule(&b, role, d)
			b.WriteByte('\n')
		}
	}
	if t.Timeouts != (Timeouts{}) {
		fmt.Fprintln(&b, Op{Kind: SetTimeouts, Timeouts: t.Timeouts})
	}
	return b.String()
}

// writeServiceID writes the options that name a service.
func writeServiceID(b *strings.Builder, id ServiceID) {
	id = id.Normal()
	switch {
	case id.FWMark != 0:
		fmt.Fprintf(b, "-f %d", id.FWMark)
		if id.Family == IPv6 {
			b.WriteString(" -6")
		}
	case id.Protocol == TCP:
		b.WriteString("-t " + id.Addr.String())
	case id.Protocol == UDP:
		b.WriteString("-u " + id.Addr.String())
	case id.Protocol == SCTP:
		b.WriteString("--sctp-service " + id.Addr.String())
	default:
		b.WriteString(id.String())
	}
}

// writeServiceRule writes a service as ipvsadm -Sn does.
func writeServiceRule(b *strings.Builder, command string, s Service) {
	s = s.normalHead()
	b.WriteString(command)
	writeServiceID(b, s.ID)
	b.WriteString(" -s " + s.Scheduler)
	if p := s.Persistence; p.Timeout != 0 {
		fmt.Fprintf(b, " -p %d", seconds(p.Timeout))
		if mask := s.PersistenceMask(); mask != "" {
			b.WriteString(" -M " + mask)
		}
		if p.Engine != "" {
			b.WriteString(" --pe " + p.Engine)
		}
	}
	if s.Flags&OnePacket != 0 {
		b.WriteString(" -o")
	}
	if names := s.SchedulerFlags(); names != "" {
		b.WriteString(" -b " + names)
	}
}

// writeDestinationRule writes a destination as ipvsadm -Sn does.
func writeDestinationRule(b *strings.Builder, command string, id ServiceID, d Destination) {
	d = d.Normal()
	b.WriteString(command)
	writeServiceID(b, id)
	b.WriteString(" -r " + d.Addr.String())
	switch d.Forward {
	case NAT:
		b.WriteString(" -m")
	case DR:
		b.WriteString(" -g")
	case TUN:
		b.WriteString(" -i")
	case Local, Bypass: // ipvsadm has no option for these
		b.WriteString(" -g")
	default:
		b.WriteString(" " + d.Forward.String())
	}
	fmt.Fprintf(b, " -w %d", d.Weight)
	if d.Upper != 0 {
		fmt.Fprintf(b, " -x %d", d.Upper)
	}
	if d.Lower != 0 {
		fmt.Fprintf(b, " -y %d", d.Lower)
	}
	if d.Forward == TUN {
		writeTunnel(b, d.Tunnel)
	}
}

func writeTunnel(b *strings.Builder, t Tunnel) {
	checksum := " --tun-nocsum"
	switch {
	case t.Flags&TunnelChecksum != 0:
		checksum = " --tun-csum"
	case t.Flags&TunnelRemoteChecksum != 0:
		checksum = " --tun-remcsum"
	}
	switch t.Type {
	case IPIP:
		b.WriteString(" --tun-type ipip")
	case GUE:
		fmt.Fprintf(b, " --tun-type gue --tun-port %d%s", t.Port, checksum)
	case GRE:
		b.WriteString(" --tun-type gre" + checksum)
	default:
		fmt.Fprintf(b, " --tun-type %d", t.Type)
	}
}

// writeDaemonRule writes the command line that starts a sync daemon.
func writeDaemonRule(b *strings.Builder, role DaemonState, d Daemon) {
	d = d.Normal(role)
	fmt.Fprintf(b, "--start-daemon %s --mcast-interface %s --syncid %d", role, d.Interface, d.SyncID)
	if d.MaxLen != 0 {
		fmt.Fprintf(b, " --sync-maxlen %d", d.MaxLen)
	}
	if d.Group != defaultSyncGroup {
		fmt.Fprintf(b, " --mcast-group %s", d.Group)
	}
	if d.Port != defaultSyncPort {
		fmt.Fprintf(b, " --mcast-port %d", d.Port)
	}
	if d.TTL != defaultSyncTTL {
		fmt.Fprintf(b, " --mcast-ttl %d", d.TTL)
	}
}

// SchedulerFlags returns the scheduler flags as ipvsadm names them, separated by
// commas. For sh and mh it has names for the first two only.
func (s Service) SchedulerFlags() string {
	names := []string{"flag-1", "flag-2", "flag-3"}
	if s.Scheduler == "sh" || s.Scheduler == "mh" {
		names = []string{s.Scheduler + "-fallback", s.Scheduler + "-port"}
	}
	var set []string
	for i, name := range names {
		if s.Flags&(SchedFlag1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, ",")
}

// PersistenceMask returns the persistence prefix as ipvsadm writes it, dotted
// for IPv4, and nothing when the whole address counts.
func (s Service) PersistenceMask() string {
	s = s.normalHead()
	family, prefix := s.ID.AddressFamily(), s.Persistence.Prefix
	if prefix == 0 || prefix == fullPrefix(family) {
		return ""
	}
	if family == IPv6 {
		return fmt.Sprint(prefix)
	}
	mask := ^uint32(0) << (32 - min(prefix, 32))
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
