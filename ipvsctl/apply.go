package ipvsctl

import (
	"net/netip"
	"slices"
)

// Apply notes in the table that the kernel has done op, so that a table that
// was dumped once stays true without another dump. Slices that the table shares
// with others are not written.
func (t *Table) Apply(op Op) {
	if t.Services == nil {
		t.Services = make(map[ServiceID]Service)
	}
	id := op.Service.ID
	service := t.Services[id]
	switch op.Kind {
	case AddService, EditService:
		head := op.Service
		head.Destinations = service.Destinations
		t.Services[id] = head
	case DeleteService:
		delete(t.Services, id)
	case AddDestination, EditDestination, DeleteDestination:
		service.Destinations = applyDestination(service.Destinations, op)
		t.Services[id] = service
	case StartDaemon:
		if t.Daemons == nil {
			t.Daemons = make(map[DaemonState]Daemon)
		}
		t.Daemons[op.State] = op.Daemon
	case StopDaemon:
		delete(t.Daemons, op.State)
	case SetTimeouts:
		t.Timeouts = op.Timeouts.over(t.Timeouts)
	}
}

// applyDestination returns a copy of the destinations with the operation done.
func applyDestination(dests []Destination, op Op) []Destination {
	i, found := slices.BinarySearchFunc(dests, op.Destination.Addr, func(d Destination, addr netip.AddrPort) int { return d.Addr.Compare(addr) })
	switch {
	case op.Kind == DeleteDestination && found:
		return slices.Delete(slices.Clone(dests), i, i+1)
	case op.Kind == DeleteDestination:
		return dests
	case found:
		dests = slices.Clone(dests)
		dests[i] = op.Destination
		return dests
	}
	return slices.Insert(slices.Clip(slices.Clone(dests)), i, op.Destination)
}
