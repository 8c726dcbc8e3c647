package engine

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// Status returns the present state of everything. The snapshot is the reader's:
// what the checks have seen last is filled in now.
func (e *Engine) Status() *Status {
	s := *e.public.Load()
	services := make([]*ServiceStatus, len(s.VirtualServers))
	for i, vs := range s.VirtualServers {
		services[i] = e.withObservations(vs)
	}
	s.VirtualServers = services
	s.Checks.fill(e.opts.Pool.Stats())
	return &s
}

// withObservations copies a service's status and fills in what its checks saw.
func (e *Engine) withObservations(vs *ServiceStatus) *ServiceStatus {
	c := *vs
	c.Reals = make([]*RealStatus, len(vs.Reals))
	for i, r := range vs.Reals {
		c.Reals[i] = e.observed(r)
	}
	if vs.Sorry != nil {
		c.Sorry = e.observed(vs.Sorry)
	}
	return &c
}

// observed copies a real server's status and fills in what its checks saw.
func (e *Engine) observed(r *RealStatus) *RealStatus {
	c := *r
	c.Checks = make([]CheckStatus, len(r.Checks))
	for i, ch := range r.Checks {
		if st, ok := e.opts.Pool.Status(ch.key); ok {
			ch.State, ch.Since = st.State.String(), st.Since
			ch.Reason, ch.Status, ch.Latency, ch.LastAt = st.Last.Reason, st.Last.Status, st.Last.Latency, st.LastAt
		}
		c.Checks[i] = ch
	}
	return &c
}

// publish makes a new snapshot if anything in it has changed. What did not
// change is shared with the last one.
func (e *Engine) publish() {
	if !e.stale {
		return
	}
	e.stale = false
	s := &Status{
		Node: e.config.Node, Version: e.opts.Version, Started: e.started,
		Config: ConfigStatus{Loaded: e.reloads.loadedAt, Reloads: e.reloads.taken, LastError: e.reloads.lastError, LastErrorAt: e.reloads.lastErrorAt},
		Kernel: e.kernelStatus(),
		Checks: PaceStatus{Late: e.pace.late, Since: e.pace.since, Reason: e.pace.reason},
		VRRP:   e.vrrpStatus(),
		BFD:    e.bfdStatus(),
		Hooks:  e.hookStatus(),
		FIFOs:  e.fifoStatus(),
	}
	s.VirtualServers = make([]*ServiceStatus, len(e.services))
	for i, svc := range e.services {
		if svc.status == nil {
			svc.status = svc.snapshot(time.Now())
		}
		s.VirtualServers[i] = svc.status
	}
	e.public.Store(s)
}

func (e *Engine) kernelStatus() KernelStatus {
	t, m := &e.table, &e.marking
	return KernelStatus{InSync: t.valid && !t.pending() && m.lastErr == "", LastError: cmp.Or(t.lastError, m.lastErr), LastResync: t.lastResync,
		Repairs: t.repairs, Operations: t.operations, Sync: e.syncStatus()}
}

func (e *Engine) vrrpStatus() VRRPStatus {
	r := &e.roles
	v := VRRPStatus{Connected: r.connected, Problems: r.problems, Groups: make([]GroupStatus, len(r.config.Groups))}
	for i, g := range r.config.Groups {
		gs, made := r.shown[g.Name]
		if !made {
			gs = groupStatus(g, r.status[g.Name])
			e.explain(gs)
			r.shown[g.Name] = gs
		}
		v.Groups[i] = gs
	}
	return v
}

// groupStatus is what VRRP has told of a group, in words.
func groupStatus(g vrrp.Group, st vrrp.Status) GroupStatus {
	gs := GroupStatus{Name: g.Name, State: st.State.String(), Since: st.Since, Reason: st.Reason, Interface: g.Interface,
		RouterID: g.RouterID, Priority: st.Priority, Sent: st.Stats.Sent, Received: st.Stats.Received,
		DroppedBy: st.Stats.Dropped, Late: st.LatenessMax, Routes: st.Routes, Rules: st.Rules, Closed: st.Closed,
		Tracks: trackStatus(st.Tracks)}
	if st.Split.Now {
		gs.Split = fmt.Sprintf("%s (priority %d) since %s", st.Split.Addr, st.Split.Priority, st.Split.Since.Format(time.RFC3339))
	}
	if st.Stranger.Now {
		gs.Stranger = fmt.Sprintf("%s claims %s since %s", st.Stranger.MAC, st.Stranger.Addr, st.Stranger.Since.Format(time.RFC3339))
	}
	if st.MasterAddr.IsValid() {
		gs.Master = fmt.Sprintf("%s (priority %d)", st.MasterAddr, st.MasterPrio)
	}
	for _, a := range st.Addresses {
		gs.Addresses = append(gs.Addresses, a.String())
	}
	for _, n := range st.Stats.Dropped {
		gs.Dropped += n
	}
	return gs
}

// snapshot makes the status of one virtual server.
func (s *service) snapshot(now time.Time) *ServiceStatus {
	vs := s.vs
	st := &ServiceStatus{Name: vs.Name, State: s.state(), Since: s.since, Reason: s.reason(), WeightUp: s.weight,
		Quorum: vs.Quorum, SorryInUse: s.sorryServes(), Panics: s.panics, Reals: make([]*RealStatus, len(vs.Reals))}
	for _, svc := range vs.Services {
		st.Addresses = append(st.Addresses, svc.ID.String()+markedAddresses(vs))
		st.Scheduler = schedulerOf(svc)
	}
	views := s.views(now)
	for i := range vs.Reals {
		configured, r := &vs.Reals[i], &s.reals[i]
		st.Forward = configured.Destination.Forward.String()
		weight, in := weightOf(vs, configured, views[i])
		rs := &RealStatus{Address: configured.Address().String(), State: r.state.String(), Since: r.since, Reason: r.reason,
			Weight: weight, Configured: configured.Destination.Weight, Asked: r.asked, InTable: in, Override: r.override.String(), OverriddenBecause: r.override.Reason, Maintenance: r.maintenance}
		if st.SorryInUse {
			rs.Weight = 0
		}
		if views[i].ramp < 100 {
			rs.Ramp = max(1, views[i].ramp)
		}
		rs.Checks = statusOf(configured.Checks)
		st.Reals[i] = rs
	}
	if sorry := vs.Sorry; sorry != nil {
		_, drained := s.leaving[sorry.Address()]
		st.Sorry = &RealStatus{Address: sorry.Address().String(), State: s.sorry.state.String(), Since: s.sorry.since, Reason: s.sorry.reason,
			Configured: sorry.Destination.Weight, InTable: st.SorryInUse || drained, Checks: statusOf(sorry.Checks)}
		if st.SorryInUse {
			st.Sorry.Weight = sorry.Destination.Weight
		}
	}
	return st
}

// statusOf returns the checks without what they have seen.
func statusOf(cs []conf.Check) []CheckStatus {
	var list []CheckStatus
	for _, c := range cs {
		list = append(list, CheckStatus{key: c.Key, Name: c.Name, Kind: c.Monitor.Probe.Kind(), Through: through(c.Way), State: checks.Unknown.String()})
	}
	return list
}

// through names the way of a check.
func through(w *conf.Way) string {
	if w == nil {
		return ""
	}
	return w.Name
}

// markedAddresses tells, behind a mark, of the addresses that get it.
func markedAddresses(vs *conf.VirtualServer) string {
	switch n := len(vs.Marked); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" (%s)", vs.Marked[0])
	default:
		return fmt.Sprintf(" (%s and %d more)", vs.Marked[0], n-1)
	}
}

// schedulerOf names a scheduler with its flags, as ipvsadm does in parentheses.
func schedulerOf(s ipvsctl.Service) string {
	var flags []string
	if s.Flags&ipvsctl.OnePacket != 0 {
		flags = append(flags, "one packet")
	}
	if len(flags) == 0 {
		return s.Scheduler
	}
	return s.Scheduler + " (" + strings.Join(flags, ", ") + ")"
}
