package ipvsctl

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"time"

	"github.com/cloudflare/ipvs"
)

var errUnknownFamily = errors.New("unknown address family")

// serviceRow is a service as the kernel lists it, without its destinations.
type serviceRow struct {
	Service
	stats ipvs.Stats
}

// destRow is a destination as the kernel lists it.
type destRow struct {
	Destination
	active, inactive, persistent uint32
	stats                        ipvs.Stats
}

// decodeService reads the body of a message of GET_SERVICE. The statistics, the
// larger part of it, are read only on request.
func decodeService(b []byte, row *serviceRow, withStats bool) error {
	return eachAttr(b, func(typ uint16, v []byte) error {
		if typ != attrService {
			return nil
		}
		return decodeServiceAttrs(v, row, withStats)
	})
}

func decodeServiceAttrs(b []byte, row *serviceRow, withStats bool) error {
	var family, protocol, port uint16
	var fwmark, timeout uint32
	var addr, mask, flags []byte
	var engine string
	err := eachAttr(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case svcFamily:
			family, err = attrUint16(v)
		case svcProtocol:
			protocol, err = attrUint16(v)
		case svcAddr:
			addr = v
		case svcPort:
			port, err = attrPort(v)
		case svcFWMark:
			fwmark, err = attrUint32(v)
		case svcSched:
			row.Scheduler = attrText(v)
		case svcFlags:
			flags = v
		case svcTimeout:
			timeout, err = attrUint32(v)
		case svcNetmask:
			mask = v
		case svcEngine:
			engine = attrText(v)
		case svcStats64:
			if withStats {
				err = decodeStats(v, &row.stats)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if fwmark != 0 {
		row.ID = ServiceID{FWMark: fwmark, Family: Family(family)}
		if row.ID.Family != IPv4 && row.ID.Family != IPv6 {
			return fmt.Errorf("fwmark %d: %w", fwmark, errUnknownFamily)
		}
	} else {
		a, err := decodeAddr(family, addr)
		if err != nil {
			return err
		}
		row.ID = ServiceID{Protocol: Protocol(protocol), Addr: netip.AddrPortFrom(a, port)}
	}
	if len(flags) < 4 {
		return errTruncated
	}
	f, _ := attrUint32(flags[:4])
	row.Flags = Flags(f) & settableFlags
	if f&flagPersistent == 0 {
		return nil
	}
	row.Persistence = Persistence{Timeout: time.Duration(timeout) * time.Second, Engine: engine}
	row.Persistence.Prefix, err = decodeMask(row.ID.AddressFamily(), mask)
	return err
}

// decodeMask reads a persistence mask: a prefix length for IPv6, a mask in
// network order for IPv4.
func decodeMask(f Family, v []byte) (uint8, error) {
	m, err := attrUint32(v)
	if err != nil {
		return 0, err
	}
	if f == IPv6 {
		return uint8(min(m, 128)), nil
	}
	return uint8(bits.OnesCount32(m)), nil
}

func decodeAddr(family uint16, v []byte) (netip.Addr, error) {
	switch {
	case Family(family) == IPv4 && len(v) >= 4:
		return netip.AddrFrom4([4]byte(v[:4])), nil
	case Family(family) == IPv6 && len(v) == 16:
		return netip.AddrFrom16([16]byte(v)), nil
	case Family(family) != IPv4 && Family(family) != IPv6:
		return netip.Addr{}, fmt.Errorf("%w %d", errUnknownFamily, family)
	}
	return netip.Addr{}, errTruncated
}

// decodeDest reads the body of a message of GET_DEST. A kernel before 3.18 does
// not tell the family, which then is that of the service.
func decodeDest(b []byte, service Family, row *destRow, withStats bool) error {
	return eachAttr(b, func(typ uint16, v []byte) error {
		if typ != attrDest {
			return nil
		}
		return decodeDestAttrs(v, service, row, withStats)
	})
}

func decodeDestAttrs(b []byte, service Family, row *destRow, withStats bool) error {
	family := uint16(service)
	var port, tunnelFlags uint16
	var forward uint32
	var tunnelType uint8
	var addr []byte
	err := eachAttr(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case destAddr:
			addr = v
		case destPort:
			port, err = attrPort(v)
		case destForward:
			forward, err = attrUint32(v)
		case destWeight:
			row.Weight, err = attrUint32(v)
		case destUpper:
			row.Upper, err = attrUint32(v)
		case destLower:
			row.Lower, err = attrUint32(v)
		case destActive:
			row.active, err = attrUint32(v)
		case destInactive:
			row.inactive, err = attrUint32(v)
		case destPersistent:
			row.persistent, err = attrUint32(v)
		case destFamily:
			family, err = attrUint16(v)
		case destTunnelType:
			tunnelType, err = attrUint8(v)
		case destTunnelPort:
			row.Tunnel.Port, err = attrPort(v)
		case destTunnelFlags:
			tunnelFlags, err = attrUint16(v)
		case destStats64:
			if withStats {
				err = decodeStats(v, &row.stats)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	a, err := decodeAddr(family, addr)
	if err != nil {
		return err
	}
	row.Addr = netip.AddrPortFrom(a, port)
	row.Forward = decodeForward(ipvs.ForwardType(forward & forwardMask))
	row.Tunnel.Type, row.Tunnel.Flags = TunnelType(tunnelType), TunnelFlags(tunnelFlags)
	row.Destination = row.Destination.Normal()
	return nil
}

func decodeForward(f ipvs.ForwardType) Forward {
	switch f {
	case ipvs.Masquerade:
		return NAT
	case ipvs.DirectRoute:
		return DR
	case ipvs.Tunnel:
		return TUN
	case ipvs.Local:
		return Local
	case ipvs.Bypass:
		return Bypass
	}
	return 0
}

// decodeStats reads the 64 bit counters and rates.
func decodeStats(b []byte, s *ipvs.Stats) error {
	fields := [...]*uint64{
		1: &s.Connections, &s.IncomingPackets, &s.OutgoingPackets, &s.IncomingBytes, &s.OutgoingBytes,
		&s.ConnectionRate, &s.IncomingPacketRate, &s.OutgoingPacketRate, &s.IncomingByteRate, &s.OutgoingByteRate,
	}
	return eachAttr(b, func(typ uint16, v []byte) (err error) {
		if typ > 0 && int(typ) < len(fields) {
			*fields[typ], err = attrUint64(v)
		}
		return err
	})
}

// decodeDaemon reads the body of a message of GET_DAEMON.
func decodeDaemon(b []byte) (DaemonState, Daemon, error) {
	var role DaemonState
	var d Daemon
	err := eachAttr(b, func(typ uint16, v []byte) error {
		if typ != attrDaemon {
			return nil
		}
		return eachAttr(v, func(typ uint16, v []byte) (err error) {
			var n uint32
			switch typ {
			case daemonState:
				n, err = attrUint32(v)
				role = DaemonState(n)
			case daemonInterface:
				d.Interface = attrText(v)
			case daemonSyncID:
				n, err = attrUint32(v)
				d.SyncID = uint8(n)
			case daemonMaxLen:
				d.MaxLen, err = attrUint16(v)
			case daemonGroup:
				d.Group, err = decodeAddr(uint16(IPv4), v)
			case daemonGroup6:
				d.Group, err = decodeAddr(uint16(IPv6), v)
			case daemonPort:
				d.Port, err = attrUint16(v)
			case daemonTTL:
				d.TTL, err = attrUint8(v)
			}
			return err
		})
	})
	return role, d, err
}
