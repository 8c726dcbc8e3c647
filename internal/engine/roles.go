package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// stopWait bounds how long an ordered stop of VRRP may take: a master serves on
// until its successor is heard, and a version 2 skew time lasts up to 256 s only
// in theory.
const stopWait = 30 * time.Second

// roles is the engine's side of VRRP: the orders it gives and the states it was told.
type roles struct {
	start   func() // runs the router; set once
	started bool
	router  vrrp.Router
	cancel  context.CancelFunc
	running sync.WaitGroup
	reports <-chan vrrp.Report // nil until started

	config        vrrp.Config
	policies      []conf.GroupPolicy
	orders        *vrrp.Orders
	tracksChanged bool // the orders are to be made anew
	scripts       map[checks.Key][]scriptUse

	connected  bool
	problems   []string
	states     map[string]vrrp.State  // what was told last, group by group
	status     map[string]vrrp.Status // with the numbers
	shown      map[string]GroupStatus // the same in the snapshot's words, made when it is asked for
	priorities map[string]uint8       // effective, group by group
	syncStates map[string]vrrp.State  // that all of a sync group have entered, by its name
	syncHooks  map[string]map[string]conf.Hook
	syncOurs   bool // we have had a sync daemon to manage
}

// scriptUse is a group that tracks a script, and the track's name there.
type scriptUse struct{ group, track string }

// run starts the router in the background.
func (r *roles) run(ctx context.Context, router vrrp.Router, log *zap.Logger) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.router, r.reports, r.started = router, router.Reports(), true
	r.running.Go(func() {
		if err := router.Run(ctx); err != nil {
			log.Error("VRRP ended", zap.Error(err))
		}
	})
}

// leave ends the router without giving up mastership.
func (r *roles) leave() {
	if !r.started {
		return
	}
	r.cancel()
	r.running.Wait()
}

// resend proves to VRRP that the engine is alive.
func (r *roles) resend() {
	if r.started && r.orders != nil {
		r.router.Order(vrrp.Command{Orders: r.orders})
	}
}

// setConfig takes the VRRP part of a configuration.
func (r *roles) setConfig(config *conf.Config) {
	r.config, r.policies, r.syncHooks = config.VRRP, config.Groups, config.SyncGroupHooks
	r.tracksChanged = true
	r.scripts = make(map[checks.Key][]scriptUse)
	for _, p := range r.policies {
		for _, t := range p.Tracks {
			key := t.Monitor.Key()
			r.scripts[key] = append(r.scripts[key], scriptUse{p.Group, t.Name})
		}
	}
	if r.states == nil {
		r.states = make(map[string]vrrp.State)
		r.status = make(map[string]vrrp.Status)
		r.priorities = make(map[string]uint8)
		r.syncStates = make(map[string]vrrp.State)
	}
	for name := range r.syncStates {
		if !slices.ContainsFunc(config.VRRP.SyncGroups, func(s vrrp.SyncGroup) bool { return s.Name == name }) {
			delete(r.syncStates, name)
		}
	}
	r.shown = make(map[string]GroupStatus)
	for name := range r.states {
		if !slices.ContainsFunc(config.VRRP.Groups, func(g vrrp.Group) bool { return g.Name == name }) {
			delete(r.states, name)
			delete(r.status, name)
			delete(r.priorities, name)
		}
	}
}

// heed takes a report at once and does what follows from it.
func (e *Engine) heed(report vrrp.Report) {
	e.takeReport(report)
	e.settle()
}

// takeReport takes what VRRP told: transitions in their order, then the states,
// which are the truth if a transition was lost.
func (e *Engine) takeReport(report vrrp.Report) {
	r := &e.roles
	if report.Connected != r.connected {
		r.connected = report.Connected
		if !report.Connected {
			e.event(Event{Kind: KindRole, To: "disconnected", Reason: "the VRRP process does not answer; starting it again"})
		}
	}
	if !slices.Equal(report.Problems, r.problems) {
		for _, p := range report.Problems {
			if !slices.Contains(r.problems, p) {
				e.event(Event{Kind: KindRole, Error: p})
			}
		}
		r.problems = report.Problems
	}
	r.takePriorities(report.Status)
	for _, t := range report.Transitions {
		e.setRole(t.Group, t.To, t.Reason)
	}
	for _, s := range report.Status {
		e.setRole(s.Group, s.State, s.Reason)
		if _, configured := r.states[s.Group]; configured {
			e.tellTracks(s, r.status[s.Group].Tracks)
			e.tellSplit(s, r.status[s.Group].Split.Now)
			e.tellStranger(s, r.status[s.Group].Stranger.Now)
			r.status[s.Group] = s
			delete(r.shown, s.Group)
		}
	}
	e.stale = true
}

// takePriorities takes the effective priorities before the transitions that
// came with them are told.
func (r *roles) takePriorities(list []vrrp.Status) {
	for _, s := range list {
		r.priorities[s.Group] = s.Priority
	}
}

// priorityOf returns a group's effective priority, or the configured one while
// it is not known.
func (r *roles) priorityOf(group string) uint8 {
	if p, known := r.priorities[group]; known {
		return p
	}
	for _, g := range r.config.Groups {
		if g.Name == group {
			return g.Priority
		}
	}
	return 0
}

// tellSplit makes an event of a second master's coming or going.
func (e *Engine) tellSplit(s vrrp.Status, before bool) {
	if s.Split.Now == before {
		return
	}
	ev := Event{Kind: KindSplit, Group: s.Group, From: "one master", To: "two masters",
		Reason: fmt.Sprintf("%s (priority %d) is master too", s.Split.Addr, s.Split.Priority)}
	if !s.Split.Now {
		ev.From, ev.To = ev.To, ev.From
		ev.Reason = fmt.Sprintf("%s is not heard any more", s.Split.Addr)
	}
	e.event(ev)
}

// tellStranger makes an event of somebody else's claim to an address, and of its end.
func (e *Engine) tellStranger(s vrrp.Status, before bool) {
	if s.Stranger.Now == before {
		return
	}
	ev := Event{Kind: KindConflict, Group: s.Group, From: "ours alone", To: "claimed",
		Reason: fmt.Sprintf("%s says that %s is his", s.Stranger.MAC, s.Stranger.Addr)}
	if !s.Stranger.Now {
		ev.From, ev.To = ev.To, ev.From
		ev.Reason = fmt.Sprintf("%s does not say any more that %s is his, or we are not MASTER any more", s.Stranger.MAC, s.Stranger.Addr)
	}
	e.event(ev)
}

// setRole takes note of a group's state; if it is a new one, the hook runs and
// the sync daemon follows.
func (e *Engine) setRole(group string, to vrrp.State, reason string) {
	r := &e.roles
	from, known := r.states[group]
	if known && from == to {
		return
	}
	i := slices.IndexFunc(r.policies, func(p conf.GroupPolicy) bool { return p.Group == group })
	if i < 0 {
		return
	}
	r.states[group] = to
	ev := Event{Kind: KindRole, Group: group, To: to.String(), Reason: reason}
	if known {
		ev.From = from.String()
	}
	e.event(ev)
	policy := &r.policies[i]
	if hook, ok := policy.Hooks[strings.ToLower(to.String())]; ok && (known || to != vrrp.Initialize) {
		e.runHook(hookRun{group: group, state: to.String(), hook: hook, priority: r.priorityOf(group)})
	}
	e.setSyncRole(group, to, reason)
	e.followSync()
}

// followSync makes the sync daemon a row of the desired table: master while its
// group is MASTER, backup otherwise. Until VRRP has said what the group is, the
// daemon is left as it is, so that a restarted engine disturbs nothing.
func (e *Engine) followSync() {
	r := &e.roles
	for _, p := range r.policies {
		if p.Sync == nil {
			continue
		}
		state, known := r.states[p.Group]
		if !known {
			return
		}
		role := ipvsctl.SyncBackup
		if state == vrrp.Master {
			role = ipvsctl.SyncMaster
		}
		before := e.syncStatus()
		e.table.setDaemons(map[ipvsctl.DaemonState]ipvsctl.Daemon{role: *p.Sync})
		if after := e.syncStatus(); after != before {
			e.event(Event{Kind: KindSync, Group: p.Group, From: before, To: after, Reason: "the group is " + state.String()})
		}
		r.syncOurs = true
		return
	}
	if r.syncOurs { // it was taken out of the configuration
		e.table.setDaemons(map[ipvsctl.DaemonState]ipvsctl.Daemon{})
	}
}

// syncStatus describes the sync daemon that is wanted.
func (e *Engine) syncStatus() string {
	for state, d := range e.table.desired.Daemons {
		return fmt.Sprintf("%s on %s, id %d", state, d.Interface, d.SyncID)
	}
	return ""
}

// order gives VRRP its orders if they changed.
func (e *Engine) order() {
	r := &e.roles
	if !r.tracksChanged {
		return
	}
	r.tracksChanged = false
	if !r.started {
		if r.config.Empty() {
			return
		}
		r.start()
	}
	r.orders = &vrrp.Orders{Config: r.config, Tracks: e.trackStates()}
	r.resend()
}

// stopVRRP orders VRRP to leave mastership by rule and waits for its end, taking
// note of what it tells meanwhile.
func (e *Engine) stopVRRP() {
	r := &e.roles
	if !r.started {
		return
	}
	r.router.Order(vrrp.Command{Stop: true})
	ended := make(chan struct{})
	go func() { r.running.Wait(); close(ended) }()
	limit := time.NewTimer(stopWait)
	defer limit.Stop()
	for {
		select {
		case report := <-r.reports:
			e.heed(report)
		case <-limit.C:
			e.log.Error("VRRP did not stop in time; its addresses expire with their lease", zap.Duration("waited", stopWait))
			r.cancel()
		case <-ended:
			r.cancel()
			e.heedTheLast()
			return
		}
	}
}

// heedTheLast takes what VRRP had told before it ended and nobody has read.
func (e *Engine) heedTheLast() {
	for {
		select {
		case report := <-e.roles.reports:
			e.heed(report)
		default:
			return
		}
	}
}
