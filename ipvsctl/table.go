// Package ipvsctl holds the desired and the actual state of the kernel's IPVS
// table as plain values, computes the difference between two tables as
// operations, and applies operations to the kernel through generic netlink.
//
// A Table is a value: services with their destinations, the connection-sync
// daemons and the time-outs. Diff is pure. A Kernel is anything that can be
// dumped and can do operations: Linux, or the in-memory twin in ipvstest that
// passes the same contract test. Durations are whole seconds in the kernel;
// what is finer is rounded up.
//
// The package decides nothing about health or roles and knows no configuration.
package ipvsctl

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"
)

// Protocol is a transport protocol that IPVS balances (IPPROTO_*).
type Protocol uint8

// The protocols of IPVS services.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

// String returns the protocol's name as the configuration and ipvsadm spell it.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}

// Family is an address family (AF_INET, AF_INET6).
type Family uint8

// The address families of IPVS services.
const (
	IPv4 Family = 2
	IPv6 Family = 10
)

// FamilyOf returns the family of addr. A 4-in-6 address is IPv4.
func FamilyOf(addr netip.Addr) Family {
	if addr.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// ServiceID names a virtual service as the kernel does: by Protocol and Addr,
// or by FWMark and Family when FWMark is not zero. It is comparable.
type ServiceID struct {
	Protocol Protocol
	Addr     netip.AddrPort
	FWMark   uint32
	Family   Family // set only together with FWMark
}

// String returns the service as "tcp 192.0.2.1:80" or "fwmark 7" ("fwmark 7 inet6").
func (id ServiceID) String() string {
	if id.FWMark != 0 {
		if id.Family == IPv6 {
			return fmt.Sprintf("fwmark %d inet6", id.FWMark)
		}
		return fmt.Sprintf("fwmark %d", id.FWMark)
	}
	return id.Protocol.String() + " " + id.Addr.String()
}

// AddressFamily returns the family of the addresses that the service accepts.
func (id ServiceID) AddressFamily() Family {
	if id.FWMark != 0 {
		return id.Family
	}
	return FamilyOf(id.Addr.Addr())
}

// Compare orders services by protocol, address, port, then fwmark and family.
func (id ServiceID) Compare(other ServiceID) int {
	return cmp.Or(
		cmp.Compare(id.Protocol, other.Protocol),
		id.Addr.Compare(other.Addr),
		cmp.Compare(id.FWMark, other.FWMark),
		cmp.Compare(id.Family, other.Family),
	)
}

// Flags are the service flags that a user may set (linux/ip_vs.h, IP_VS_SVC_F_*).
// Persistence is not a flag here: it follows from Service.Persistence.
type Flags uint32

// The flags of a service. The meaning of the scheduler flags depends on the
// scheduler: for sh, 1 is sh-fallback and 2 is sh-port; mh alike.
const (
	OnePacket  Flags = 0x4
	SchedFlag1 Flags = 0x8
	SchedFlag2 Flags = 0x10
	SchedFlag3 Flags = 0x20
)

// Scheduler flags by the names that ipvsadm gives them.
const (
	SHFallback = SchedFlag1
	SHPort     = SchedFlag2
	MHFallback = SchedFlag1
	MHPort     = SchedFlag2
)

// Persistence holds a client to its real server. The zero value is none.
type Persistence struct {
	Timeout time.Duration // whole seconds; zero is no persistence
	Prefix  uint8         // bits of the client address that count: 1–32 or 1–128
	Engine  string        // persistence engine, "sip" or empty
}

// Service is one virtual service and its destinations.
type Service struct {
	ID           ServiceID
	Scheduler    string // rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos
	Flags        Flags
	Persistence  Persistence
	Destinations []Destination // sorted by Addr, each Addr once
}

// Forward is the way packets reach a real server (linux/ip_vs.h, IP_VS_CONN_F_*).
type Forward uint8

// The forwarding methods. The zero value is invalid, so that a forgotten method shows.
const (
	NAT    Forward = iota + 1 // masquerading
	DR                        // direct routing
	TUN                       // tunnelling
	Local                     // the director itself; only ever read from the kernel
	Bypass                    // past the cache cluster; only ever read from the kernel
)

// String returns the method as the configuration spells it.
func (f Forward) String() string {
	switch f {
	case NAT:
		return "nat"
	case DR:
		return "dr"
	case TUN:
		return "tun"
	case Local:
		return "local"
	case Bypass:
		return "bypass"
	}
	return fmt.Sprintf("forward(%d)", uint8(f))
}

// TunnelType is the encapsulation of a TUN destination (IP_VS_CONN_F_TUNNEL_TYPE_*).
type TunnelType uint8

// The tunnel types.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1
	GRE  TunnelType = 2
)

// TunnelFlags are the checksum options of a GUE or GRE tunnel (IP_VS_TUNNEL_ENCAP_FLAG_*).
type TunnelFlags uint16

// The tunnel flags. None set is nocsum.
const (
	TunnelChecksum       TunnelFlags = 1
	TunnelRemoteChecksum TunnelFlags = 2 // GUE only
)

// Tunnel describes the encapsulation of a TUN destination. The zero value is plain ipip.
type Tunnel struct {
	Type  TunnelType
	Port  uint16 // destination UDP port; GUE only
	Flags TunnelFlags
}

// Destination is one real server of a service.
type Destination struct {
	Addr    netip.AddrPort // port 0 for fwmark services that keep the port
	Forward Forward
	Weight  uint32
	Upper   uint32 // connections above which no new ones are sent; 0 is no limit
	Lower   uint32 // connections below which they are sent again
	Tunnel  Tunnel
}

// DaemonState is a role of the connection-sync daemon (IP_VS_STATE_*).
type DaemonState uint8

// The roles of the sync daemon. Both may run at once.
const (
	SyncMaster DaemonState = 1
	SyncBackup DaemonState = 2
)

// String returns "master" or "backup".
func (s DaemonState) String() string {
	switch s {
	case SyncMaster:
		return "master"
	case SyncBackup:
		return "backup"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Daemon is one running connection-sync daemon. Zero values of the optional
// fields mean the kernel's default, and are equal to it in a Diff.
type Daemon struct {
	Interface string
	SyncID    uint8      // 0–255; a backup with 0 takes connections of every id
	MaxLen    uint16     // bytes of a sync message; 0 is the kernel's default
	Group     netip.Addr // multicast group; invalid is 224.0.0.81
	Port      uint16     // 0 is 8848
	TTL       uint8      // 0 is 1
}

// Timeouts are the connection time-outs of the whole namespace (ipvsadm --set).
// A zero in a desired table means: leave as it is.
type Timeouts struct {
	TCP, TCPFin, UDP time.Duration
}

// Table is a state of IPVS, actual or desired.
type Table struct {
	Services map[ServiceID]Service

	// Daemons are the sync daemons by role. In a desired table nil means that
	// the daemons are not ours and are left alone; an empty map means none may run.
	Daemons map[DaemonState]Daemon

	Timeouts Timeouts
}

// Row names one row of the table, for the question whose it is: a service when
// Destination is invalid, else a destination of it.
type Row struct {
	Service     ServiceID
	Destination netip.AddrPort
}
