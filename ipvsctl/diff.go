package ipvsctl

import (
	"net/netip"
	"slices"
)

// Diff returns the operations that turn the table have into want. It is the
// only place that decides what may be deleted:
//
//   - A row of want is added or edited, whoever put it there.
//   - A row that is not in want is deleted when it is owned, else left alone. A
//     service that is to go stays as long as it holds a destination of others.
//   - Daemons are left alone when want.Daemons is nil, a time-out when it is zero.
//
// The order is fixed: daemons that are to end (a running one excludes
// destinations of another family than their service), then service by service
// the additions and edits, each service with its destinations, so that a new
// one does not refuse clients for long, and those that get weight 0 last, so that
// no client finds nobody between one that leaves and one that comes; then all
// deletions, the last row first; then daemons that start or start again; then the time-outs. Both tables may be in any spelling,
// see Table.Normal. After the operations are done, a second Diff is empty.
//
// The kernel remembers a deleted destination for two minutes and more, in a list
// that it searches from its newest end for each one that is added. What was deleted in
// the order opposite to that of additions is found at once when it comes back, as
// in a restart; in the same order ten thousand cost fifty million comparisons.
func Diff(have, want Table, own Ownership) []Op {
	have, want = have.Normal(), want.Normal()
	d := differ{owned: own.rows(), set: make([]Op, 0, missing(have, want))}
	for _, id := range want.SortedIDs() {
		d.service(have.Services[id], want.Services[id])
	}
	for _, id := range slices.Backward(have.SortedIDs()) {
		if _, ok := want.Services[id]; !ok {
			d.unwanted(have.Services[id])
		}
	}
	ops := slices.Concat(stopDaemons(have.Daemons, want.Daemons), d.set, d.del, startDaemons(have.Daemons, want.Daemons))
	if set := want.Timeouts.over(have.Timeouts); set != have.Timeouts {
		ops = append(ops, Op{Kind: SetTimeouts, Timeouts: want.Timeouts})
	}
	return ops
}

// missing counts the rows of the services that are not there at all, of which
// there are many at a start.
func missing(have, want Table) int {
	n := 0
	for id, s := range want.Services {
		if _, ok := have.Services[id]; !ok {
			n += 1 + len(s.Destinations)
		}
	}
	return n
}

// differ collects the operations on services and destinations, each list in order.
type differ struct {
	owned func(Row) bool
	set   []Op // additions and edits
	del   []Op
}

// service makes a service and its destinations as wanted. The one that is
// there may be the zero value.
func (d *differ) service(have, want Service) {
	switch {
	case have.ID != want.ID:
		d.set = append(d.set, Op{Kind: AddService, Service: want.head()})
	case !have.sameHead(want):
		d.set = append(d.set, Op{Kind: EditService, Service: want.head()})
	}
	var leave []Op
	for _, dest := range want.Destinations {
		had, exists := findDestination(have.Destinations, dest.Addr)
		switch edit := (Op{Kind: EditDestination, Service: Service{ID: want.ID}, Destination: dest}); {
		case !exists:
			d.set = append(d.set, Op{Kind: AddDestination, Service: Service{ID: want.ID}, Destination: dest})
		case had == dest:
		case dest.Weight == 0 && had.Weight > 0:
			leave = append(leave, edit)
		default:
			d.set = append(d.set, edit)
		}
	}
	d.set = append(d.set, leave...)
	d.destinations(have, want)
}

// unwanted deletes our rows of a service. The kernel deletes its destinations
// with it.
func (d *differ) unwanted(have Service) {
	rest := len(d.del)
	d.destinations(have, Service{ID: have.ID})
	if d.owned(Row{Service: have.ID}) && len(d.del)-rest == len(have.Destinations) {
		d.del = append(d.del[:rest], Op{Kind: DeleteService, Service: Service{ID: have.ID}})
	}
}

// destinations deletes those of our destinations that are not wanted.
func (d *differ) destinations(have, want Service) {
	for _, dest := range slices.Backward(have.Destinations) {
		if _, wanted := findDestination(want.Destinations, dest.Addr); wanted || !d.owned(Row{have.ID, dest.Addr}) {
			continue
		}
		d.del = append(d.del, Op{Kind: DeleteDestination, Service: Service{ID: have.ID}, Destination: Destination{Addr: dest.Addr}})
	}
}

// rows returns the question whether a row may be deleted.
func (o Ownership) rows() func(Row) bool {
	if o.RemoveForeign {
		return func(Row) bool { return true }
	}
	return func(r Row) bool {
		_, ok := o.Owned[r]
		return ok
	}
}

func stopDaemons(have, want map[DaemonState]Daemon) []Op {
	var ops []Op
	for _, role := range []DaemonState{SyncMaster, SyncBackup} {
		if _, wanted := want[role]; wanted || want == nil {
			continue
		}
		if _, runs := have[role]; runs {
			ops = append(ops, Op{Kind: StopDaemon, State: role})
		}
	}
	return ops
}

// startDaemons returns the daemons to be started. The kernel changes no
// parameter of a running daemon, so other parameters mean to stop it first.
func startDaemons(have, want map[DaemonState]Daemon) []Op {
	var ops []Op
	for _, role := range []DaemonState{SyncMaster, SyncBackup} {
		wanted, ok := want[role]
		if !ok {
			continue
		}
		if runs, ok := have[role]; ok {
			if wanted.MaxLen == 0 {
				runs.MaxLen = 0 // the kernel chose it
			}
			if runs == wanted {
				continue
			}
			ops = append(ops, Op{Kind: StopDaemon, State: role})
		}
		ops = append(ops, Op{Kind: StartDaemon, State: role, Daemon: wanted})
	}
	return ops
}

// head returns the service without its destinations.
func (s Service) head() Service {
	s.Destinations = nil
	return s
}

// sameHead tells whether two normal services differ in their destinations at most.
func (s Service) sameHead(t Service) bool {
	return s.ID == t.ID && s.Scheduler == t.Scheduler && s.Flags == t.Flags && s.Persistence == t.Persistence
}

// over returns the time-outs after t has been set on u.
func (t Timeouts) over(u Timeouts) Timeouts {
	if t.TCP != 0 {
		u.TCP = t.TCP
	}
	if t.TCPFin != 0 {
		u.TCPFin = t.TCPFin
	}
	if t.UDP != 0 {
		u.UDP = t.UDP
	}
	return u
}

// findDestination looks addr up in a sorted list.
func findDestination(dests []Destination, addr netip.AddrPort) (Destination, bool) {
	i, ok := slices.BinarySearchFunc(dests, addr, func(d Destination, a netip.AddrPort) int { return d.Addr.Compare(a) })
	if !ok {
		return Destination{}, false
	}
	return dests[i], true
}

// Confirmed returns the operations of second that first has too. A dump made
// while another program changes the table may miss rows or hold them twice, and
// the kernel does not tell (it never sets NLM_F_DUMP_INTR for IPVS). So what
// looks like drift is repaired only as far as the differences of two dumps,
// each with the same desired table, agree.
func Confirmed(first, second []Op) []Op {
	seen := make(map[string]struct{}, len(first))
	for _, op := range first {
		seen[op.String()] = struct{}{}
	}
	var both []Op
	for _, op := range second {
		if _, ok := seen[op.String()]; ok {
			both = append(both, op)
		}
	}
	return both
}
