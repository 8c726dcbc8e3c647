package engine

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// shutdown leaves the scene in order: VRRP first, so that the peer serves
// before our table changes, then the sync daemon and our rows as on_stop says.
func (e *Engine) shutdown() {
	e.event(Event{Kind: KindStart, To: "stopping"})
	e.publish()
	e.stopVRRP()
	e.stopTable()
	e.event(Event{Kind: KindStart, To: "stopped"})
}

// stopTable leaves what is in the kernel's table as on_stop says.
func (e *Engine) stopTable() {
	t := &e.table
	if t.kernel == nil || !t.needed() {
		return
	}
	wanted := t.desired
	if e.roles.syncOurs {
		wanted.Daemons = map[ipvsctl.DaemonState]ipvsctl.Daemon{}
	}
	e.table.forget(e.ways.services) // nobody probes any more
	wanted.Services = servicesAtStop(t.desired.Services, e.config.IPVS.OnStop)
	if err := e.applyAtStop(wanted); err != nil {
		e.event(Event{Kind: KindApply, Reason: "the table stays as it is", Error: err.Error()})
	}
	e.stopMarks()
}

// stopHookTime is how long the daemon waits at its stop for hooks: what it is
// stopped by does not wait for ever (systemd: 90 s).
const stopHookTime = 30 * time.Second

// runStopHooks runs the hooks of virtual servers and real servers for the stop,
// after those that are due already, and waits for all of them.
func (e *Engine) runStopHooks() {
	const state, reason = "stop", "the daemon stops"
	for _, s := range e.services {
		if hook, ok := s.vs.Hooks[state]; ok {
			e.runHook(hookRun{virtualServer: s.vs.Name, state: state, reason: reason, hook: hook})
		}
		for i := range s.vs.Reals {
			if hook, ok := s.vs.Reals[i].Hooks[state]; ok {
				e.runHook(hookRun{virtualServer: s.vs.Name, realServer: s.vs.Reals[i].Address().String(), state: state, reason: reason, hook: hook})
			}
		}
	}
	limit := time.NewTimer(stopHookTime)
	defer limit.Stop()
	for e.hooksLeft() > 0 {
		select {
		case done := <-e.hooks.done:
			e.takeHook(done)
		case <-limit.C:
			e.event(Event{Kind: KindHook, To: state, Error: fmt.Sprintf("%d hooks have not ended in %v and are given up", e.hooksLeft(), stopHookTime)})
			return
		case c := <-e.calls:
			c.reply <- errEnded
		case <-e.opts.Pool.Results(): // must not block
		case <-e.loaded:
		}
	}
}

// servicesAtStop returns the services that stay when the daemon has stopped.
func servicesAtStop(desired map[ipvsctl.ServiceID]ipvsctl.Service, onStop conf.OnStop) map[ipvsctl.ServiceID]ipvsctl.Service {
	switch onStop {
	case conf.StopKeep:
		return desired
	case conf.StopDrain:
		drained := make(map[ipvsctl.ServiceID]ipvsctl.Service, len(desired))
		for id, s := range desired {
			dests := make([]ipvsctl.Destination, len(s.Destinations))
			for i, d := range s.Destinations {
				d.Weight = 0
				dests[i] = d
			}
			s.Destinations = dests
			drained[id] = s
		}
		return drained
	case conf.StopRemove:
	}
	return nil
}

// applyAtStop brings the kernel to the table that is to stay, from a fresh look
// at it; errors of single rows do not keep the others from being done.
func (e *Engine) applyAtStop(wanted ipvsctl.Table) error {
	t := &e.table
	if err := t.read(); err != nil {
		return err
	}
	ops := ipvsctl.Diff(t.known, wanted, e.ownership())
	if len(ops) == 0 {
		return nil
	}
	err := t.apply(ops)
	var batch *ipvsctl.BatchError
	if errors.As(err, &batch) {
		e.log.Warn("some rows could not be changed at the stop", zap.Int("rows", len(batch.Failed)), zap.Error(err))
		return nil
	}
	return err
}
