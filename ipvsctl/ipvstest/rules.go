package ipvstest

import (
	"math"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// do does one operation by the rules of net/netfilter/ipvs/ip_vs_ctl.c.
func (k *Kernel) do(op ipvsctl.Op) error {
	switch op.Kind {
	case ipvsctl.AddService, ipvsctl.EditService:
		return k.setService(op.Kind, op.Service)
	case ipvsctl.DeleteService:
		id := op.Service.ID.Normal()
		if _, ok := k.services[id]; !ok {
			return syscall.ESRCH
		}
		delete(k.services, id)
		return nil
	case ipvsctl.AddDestination, ipvsctl.EditDestination, ipvsctl.DeleteDestination:
		return k.setDestination(op.Kind, op.Service.ID.Normal(), op.Destination)
	case ipvsctl.StartDaemon:
		return k.startDaemon(op.State, op.Daemon)
	case ipvsctl.StopDaemon:
		if op.State != ipvsctl.SyncMaster && op.State != ipvsctl.SyncBackup {
			return syscall.EINVAL
		}
		if _, ok := k.daemons[op.State]; !ok {
			return syscall.ESRCH
		}
		delete(k.daemons, op.State)
		return nil
	case ipvsctl.SetTimeouts:
		return k.setTimeouts(op.Timeouts)
	}
	return syscall.EINVAL
}

func (k *Kernel) setService(kind ipvsctl.OpKind, s ipvsctl.Service) error {
	s.Destinations = nil
	s = s.Normal()
	if err := checkServiceID(s.ID); err != nil {
		return err
	}
	if int(s.Persistence.Prefix) > bits(s.ID.AddressFamily()) {
		return syscall.EINVAL
	}
	had, exists := k.services[s.ID]
	switch {
	case kind == ipvsctl.AddService && exists:
		return syscall.EEXIST
	case kind == ipvsctl.EditService && !exists:
		return syscall.ESRCH
	case !slices.Contains(k.schedulers, s.Scheduler):
		return syscall.ENOENT
	case s.Persistence.Engine != "" && s.Persistence.Engine != "sip":
		return syscall.ENOENT
	}
	s.Destinations = had.Destinations
	k.services[s.ID] = s
	return nil
}

func checkServiceID(id ipvsctl.ServiceID) error {
	if id.FWMark != 0 {
		if id.Family != ipvsctl.IPv4 && id.Family != ipvsctl.IPv6 {
			return syscall.EAFNOSUPPORT
		}
		return nil
	}
	if !id.Addr.IsValid() || id.Addr.Addr().Zone() != "" {
		return syscall.EINVAL
	}
	return nil
}

func (k *Kernel) setDestination(kind ipvsctl.OpKind, id ipvsctl.ServiceID, d ipvsctl.Destination) error {
	d = d.Normal()
	svc, ok := k.services[id]
	if !ok {
		return syscall.ESRCH
	}
	if !d.Addr.IsValid() || d.Addr.Addr().Zone() != "" {
		return syscall.EINVAL
	}
	i, exists := slices.BinarySearchFunc(svc.Destinations, d.Addr, func(e ipvsctl.Destination, a netip.AddrPort) int {
		return e.Addr.Compare(a)
	})
	if kind == ipvsctl.DeleteDestination {
		if !exists {
			return syscall.ENOENT
		}
		svc.Destinations = slices.Concat(svc.Destinations[:i], svc.Destinations[i+1:])
		k.services[id] = svc
		return nil
	}
	if err := k.checkDestination(id, d); err != nil {
		return err
	}
	switch {
	case kind == ipvsctl.EditDestination && !exists:
		return syscall.ENOENT
	case kind == ipvsctl.AddDestination && exists:
		return syscall.EEXIST
	case kind == ipvsctl.AddDestination && !reachable(d.Addr.Addr()):
		return syscall.EINVAL
	}
	dests := slices.Clone(svc.Destinations)
	if exists {
		dests[i] = d
	} else {
		dests = slices.Insert(dests, i, d)
	}
	svc.Destinations = dests
	k.services[id] = svc
	return nil
}

func (k *Kernel) checkDestination(id ipvsctl.ServiceID, d ipvsctl.Destination) error {
	if d.Forward < ipvsctl.NAT || d.Forward > ipvsctl.Bypass {
		return syscall.EINVAL
	}
	if ipvsctl.FamilyOf(d.Addr.Addr()) != id.AddressFamily() {
		// The sync protocol has no room for a connection of two families.
		if len(k.daemons) > 0 || d.Forward != ipvsctl.TUN {
			return syscall.EINVAL
		}
	}
	if d.Weight > math.MaxInt32 || d.Lower > d.Upper {
		return syscall.ERANGE
	}
	if d.Forward == ipvsctl.TUN && d.Tunnel.Type == ipvsctl.GUE && d.Tunnel.Port == 0 {
		return syscall.EINVAL
	}
	return nil
}

// reachable tells whether the kernel takes the address as a destination's: a
// unicast address, and for IPv6 not a link-local one.
func reachable(a netip.Addr) bool {
	if a.Is6() {
		return !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.IsUnspecified()
	}
	return !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func (k *Kernel) startDaemon(role ipvsctl.DaemonState, d ipvsctl.Daemon) error {
	d = d.Normal(role)
	if d.Interface == "" || k.mixedFamilies() {
		return syscall.EINVAL
	}
	if !d.Group.IsMulticast() {
		return syscall.EINVAL
	}
	if k.interfaces != nil && !slices.Contains(k.interfaces, d.Interface) {
		return syscall.ENODEV
	}
	if role != ipvsctl.SyncMaster && role != ipvsctl.SyncBackup {
		return syscall.EINVAL
	}
	if _, runs := k.daemons[role]; runs {
		return syscall.EEXIST
	}
	if d.MaxLen == 0 { // what fits in 1500 bytes
		d.MaxLen = 1500 - 20 - 8
		if d.Group.Is6() {
			d.MaxLen = 1500 - 40 - 8
		}
	}
	k.daemons[role] = d
	return nil
}

func (k *Kernel) mixedFamilies() bool {
	for id, s := range k.services {
		for _, d := range s.Destinations {
			if ipvsctl.FamilyOf(d.Addr.Addr()) != id.AddressFamily() {
				return true
			}
		}
	}
	return false
}

func (k *Kernel) setTimeouts(t ipvsctl.Timeouts) error {
	t = t.Normal()
	for _, d := range []time.Duration{t.TCP, t.TCPFin, t.UDP} {
		if d/time.Second > math.MaxInt32/250 { // jiffies in an int, HZ=250
			return syscall.EINVAL
		}
	}
	if t.TCP != 0 {
		k.timeouts.TCP = t.TCP
	}
	if t.TCPFin != 0 {
		k.timeouts.TCPFin = t.TCPFin
	}
	if t.UDP != 0 {
		k.timeouts.UDP = t.UDP
	}
	return nil
}

func bits(f ipvsctl.Family) int {
	if f == ipvsctl.IPv6 {
		return 128
	}
	return 32
}
