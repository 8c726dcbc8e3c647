package ipvsctl

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// settableFlags are the service flags that come from the user. The kernel adds
// IP_VS_SVC_F_HASHED (0x2) to what it lists, and IP_VS_SVC_F_PERSISTENT (0x1)
// is expressed by Service.Persistence.
const settableFlags = OnePacket | SchedFlag1 | SchedFlag2 | SchedFlag3

// What the kernel puts in the place of a sync daemon's missing parameters
// (net/netfilter/ipvs/ip_vs_sync.c, start_sync_thread).
const (
	defaultSyncPort = 8848
	defaultSyncTTL  = 1
	// A backup never makes its receive buffer smaller than this.
	minBackupMaxLen = 1024
)

var defaultSyncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// Normal returns the identity as the kernel lists it: 4-in-6 addresses are
// IPv4, and a fwmark service has neither protocol nor address.
func (id ServiceID) Normal() ServiceID {
	if id.FWMark != 0 {
		family := id.Family
		if family == 0 {
			family = IPv4
		}
		return ServiceID{FWMark: id.FWMark, Family: family}
	}
	return ServiceID{Protocol: id.Protocol, Addr: unmap(id.Addr)}
}

// Normal returns the service as the kernel would list it: durations in whole
// seconds, defaults filled in, what has no effect removed, the destinations
// sorted and each address once (the last one counts). It shares no memory with s.
func (s Service) Normal() Service {
	s = s.normalHead()
	if len(s.Destinations) == 0 {
		s.Destinations = nil
		return s
	}
	dests := make([]Destination, len(s.Destinations))
	for i, d := range s.Destinations {
		dests[i] = d.Normal()
	}
	s.Destinations = sortDestinations(dests)
	return s
}

// normalHead is Normal for all but the destinations.
func (s Service) normalHead() Service {
	s.ID = s.ID.Normal()
	s.Flags &= settableFlags
	s.Persistence.Timeout = wholeSeconds(s.Persistence.Timeout)
	if s.Persistence.Timeout == 0 {
		s.Persistence = Persistence{}
	} else if s.Persistence.Prefix == 0 {
		s.Persistence.Prefix = fullPrefix(s.ID.AddressFamily())
	}
	return s
}

// sortDestinations sorts in place and keeps the last of those with one address.
func sortDestinations(dests []Destination) []Destination {
	byAddr := func(a, b Destination) int { return a.Addr.Compare(b.Addr) }
	if !slices.IsSortedFunc(dests, byAddr) {
		slices.SortStableFunc(dests, byAddr)
	}
	kept := dests[:0]
	for _, d := range dests {
		if n := len(kept); n > 0 && kept[n-1].Addr == d.Addr {
			kept[n-1] = d
			continue
		}
		kept = append(kept, d)
	}
	return kept
}

// Normal returns the destination as the kernel would list it. Tunnel parameters
// that its forwarding method does not use are removed.
func (d Destination) Normal() Destination {
	d.Addr = unmap(d.Addr)
	switch {
	case d.Forward != TUN || d.Tunnel.Type == IPIP:
		d.Tunnel = Tunnel{}
	case d.Tunnel.Type == GRE:
		d.Tunnel.Port = 0
		d.Tunnel.Flags &= TunnelChecksum
	}
	return d
}

// Normal returns the daemon as the kernel would list it in the role. MaxLen
// stays 0 when it is not set, since the default depends on the interface.
func (d Daemon) Normal(role DaemonState) Daemon {
	if d.Group = d.Group.Unmap(); !d.Group.IsValid() {
		d.Group = defaultSyncGroup
	}
	if d.Port == 0 {
		d.Port = defaultSyncPort
	}
	if d.TTL == 0 {
		d.TTL = defaultSyncTTL
	}
	if d.MaxLen != 0 {
		if role == SyncBackup {
			d.MaxLen = max(d.MaxLen, minBackupMaxLen)
		}
		// The kernel's limit: a UDP datagram in the largest IP packet.
		limit := uint16(65535 - 20 - 8)
		if d.Group.Is6() {
			limit = 65535 - 40 - 8
		}
		d.MaxLen = min(d.MaxLen, limit)
	}
	return d
}

// Normal returns the time-outs in whole seconds.
func (t Timeouts) Normal() Timeouts {
	return Timeouts{TCP: wholeSeconds(t.TCP), TCPFin: wholeSeconds(t.TCPFin), UDP: wholeSeconds(t.UDP)}
}

// Normal returns the table as the kernel would list it. It shares no memory with t.
func (t Table) Normal() Table {
	out := Table{Services: make(map[ServiceID]Service, len(t.Services)), Timeouts: t.Timeouts.Normal()}
	for _, s := range t.Services {
		s = s.Normal()
		out.Services[s.ID] = s
	}
	if t.Daemons != nil {
		out.Daemons = make(map[DaemonState]Daemon, len(t.Daemons))
		for role, d := range t.Daemons {
			out.Daemons[role] = d.Normal(role)
		}
	}
	return out
}

// Normal returns the row with the identity of its service as the kernel lists it.
func (r Row) Normal() Row {
	return Row{Service: r.Service.Normal(), Destination: unmap(r.Destination)}
}

// SortedIDs returns the identities of the table's services in order.
func (t Table) SortedIDs() []ServiceID {
	return slices.SortedFunc(maps.Keys(t.Services), ServiceID.Compare)
}

func fullPrefix(f Family) uint8 {
	if f == IPv6 {
		return 128
	}
	return 32
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// wholeSeconds rounds up, so that a short time does not become none.
func wholeSeconds(d time.Duration) time.Duration {
	return (max(d, 0) + time.Second - 1) / time.Second * time.Second
}
