package ipvsctl

import (
	"math"
	"net/netip"
	"syscall"
	"time"

	"github.com/cloudflare/ipvs"
)

// forwards are the forwarding methods by the kernel's number.
var forwards = map[Forward]ipvs.ForwardType{
	NAT: ipvs.Masquerade, DR: ipvs.DirectRoute, TUN: ipvs.Tunnel, Local: ipvs.Local, Bypass: ipvs.Bypass,
}

// encodeOp appends the command of an operation and its attributes. What the
// kernel cannot be told, since the message has no room for it, is EINVAL.
func (e *encoder) encodeOp(family, flags uint16, seq uint32, op Op) error {
	begin := len(e.b)
	var err error
	switch op.Kind {
	case AddService:
		err = e.serviceOp(e.message(family, flags, seq, cmdNewService), op.Service, true)
	case EditService:
		err = e.serviceOp(e.message(family, flags, seq, cmdSetService), op.Service, true)
	case DeleteService:
		err = e.serviceOp(e.message(family, flags, seq, cmdDelService), op.Service, false)
	case AddDestination:
		err = e.destOp(e.message(family, flags, seq, cmdNewDest), op, true)
	case EditDestination:
		err = e.destOp(e.message(family, flags, seq, cmdSetDest), op, true)
	case DeleteDestination:
		err = e.destOp(e.message(family, flags, seq, cmdDelDest), op, false)
	case StartDaemon:
		e.daemonOp(e.message(family, flags, seq, cmdNewDaemon), op, true)
	case StopDaemon:
		e.daemonOp(e.message(family, flags, seq, cmdDelDaemon), op, false)
	default:
		err = syscall.EINVAL
	}
	if err != nil {
		e.b = e.b[:begin]
	}
	return err
}

func (e *encoder) serviceOp(at int, s Service, full bool) error {
	nest := e.nest(attrService)
	if err := e.serviceID(s.ID); err != nil {
		return err
	}
	if full {
		if err := e.serviceHead(s); err != nil {
			return err
		}
	}
	e.endNest(nest)
	e.endMessage(at)
	return nil
}

// serviceID writes what names a service.
func (e *encoder) serviceID(id ServiceID) error {
	id = id.Normal()
	if id.FWMark != 0 {
		e.uint16(svcFamily, uint16(id.Family))
		e.uint32(svcFWMark, id.FWMark)
		return nil
	}
	addr := id.Addr.Addr()
	if !addr.IsValid() || addr.Zone() != "" {
		return syscall.EINVAL
	}
	e.uint16(svcFamily, uint16(FamilyOf(addr)))
	e.uint16(svcProtocol, uint16(id.Protocol))
	e.addr(svcAddr, addr)
	e.port(svcPort, id.Addr.Port())
	return nil
}

func (e *encoder) addr(typ uint16, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		e.bytes(typ, b[:])
		return
	}
	b := a.As16()
	e.bytes(typ, b[:])
}

func (e *encoder) serviceHead(s Service) error {
	s = s.normalHead()
	flags, family := uint32(s.Flags), s.ID.AddressFamily()
	prefix := fullPrefix(family)
	if s.Persistence.Timeout != 0 {
		flags |= flagPersistent
		prefix = s.Persistence.Prefix
	}
	timeout, ok := seconds32(s.Persistence.Timeout)
	if prefix > fullPrefix(family) || !ok {
		return syscall.EINVAL
	}
	e.text(svcSched, s.Scheduler)
	e.header(svcFlags, 8)
	e.b = appendNative(e.b, flags, uint32(settableFlags|flagPersistent))
	e.uint32(svcTimeout, timeout)
	if family == IPv6 {
		e.uint32(svcNetmask, uint32(prefix))
	} else {
		e.header(svcNetmask, 4)
		mask := ^uint32(0) << (32 - prefix)
		e.b = append(e.b, byte(mask>>24), byte(mask>>16), byte(mask>>8), byte(mask))
	}
	if s.Persistence.Engine != "" {
		e.text(svcEngine, s.Persistence.Engine)
	}
	return nil
}

func (e *encoder) destOp(at int, op Op, full bool) error {
	nest := e.nest(attrService)
	if err := e.serviceID(op.Service.ID); err != nil {
		return err
	}
	e.endNest(nest)
	d := op.Destination.Normal()
	addr := d.Addr.Addr()
	if !addr.IsValid() || addr.Zone() != "" {
		return syscall.EINVAL
	}
	nest = e.nest(attrDest)
	e.addr(destAddr, addr)
	e.port(destPort, d.Addr.Port())
	e.uint16(destFamily, uint16(FamilyOf(addr)))
	if full {
		forward, ok := forwards[d.Forward]
		if !ok {
			return syscall.EINVAL
		}
		e.uint32(destForward, uint32(forward))
		e.uint32(destWeight, d.Weight)
		e.uint32(destUpper, d.Upper)
		e.uint32(destLower, d.Lower)
		if d.Forward == TUN {
			e.uint8(destTunnelType, uint8(d.Tunnel.Type))
			e.port(destTunnelPort, d.Tunnel.Port)
			e.uint16(destTunnelFlags, uint16(d.Tunnel.Flags))
		}
	}
	e.endNest(nest)
	e.endMessage(at)
	return nil
}

func (e *encoder) daemonOp(at int, op Op, full bool) {
	nest := e.nest(attrDaemon)
	e.uint32(daemonState, uint32(op.State))
	if full {
		d := op.Daemon.Normal(op.State)
		if d.Interface != "" { // without the attribute the kernel says EINVAL
			e.text(daemonInterface, d.Interface)
		}
		e.uint32(daemonSyncID, uint32(d.SyncID))
		if d.MaxLen != 0 {
			e.uint16(daemonMaxLen, d.MaxLen)
		}
		group := uint16(daemonGroup)
		if d.Group.Is6() {
			group = daemonGroup6
		}
		e.addr(group, d.Group)
		e.uint16(daemonPort, d.Port) // not in network order, unlike all other ports
		e.uint8(daemonTTL, d.TTL)
	}
	e.endNest(nest)
	e.endMessage(at)
}

// seconds32 returns a whole number of seconds for the kernel.
func seconds32(d time.Duration) (uint32, bool) {
	s := wholeSeconds(d) / time.Second
	return uint32(s), s <= math.MaxUint32
}
