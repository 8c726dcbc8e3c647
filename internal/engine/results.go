package engine

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lvs-director/director/checks"
)

// takeResults takes all results that are there, so that a storm of failures is
// planned once.
func (e *Engine) takeResults() {
	for {
		select {
		case r := <-e.opts.Pool.Results():
			e.takeResult(r)
		default:
			return
		}
	}
}

// takeResult takes note of a monitor's verdict and of what follows for the real
// servers and tracks that use it.
func (e *Engine) takeResult(r checks.Result) {
	if last, known := e.health[r.Key]; known {
		r.From = last.To
	} else {
		return // of a monitor that is no longer configured
	}
	if r.To == checks.Down && e.wayLost(r.Key) {
		e.opts.Pool.Forgive(r.Key, r.From)
		return
	}
	e.health[r.Key] = r
	for _, u := range e.users[r.Key] {
		e.takeCheck(u, r)
	}
	e.takeScript(r)
}

// takeCheck applies a monitor's result to one real server that uses it.
func (e *Engine) takeCheck(u user, r checks.Result) {
	cs := u.configured().Checks
	if len(cs) > 1 && r.From != r.To {
		for _, c := range cs {
			if c.Key == r.Key {
				e.event(Event{Kind: KindCheck, VirtualServer: u.service.vs.Name, RealServer: u.configured().Address().String(),
					Check: c.Name, From: r.From.String(), To: r.To.String(), Reason: r.Seen.Reason, Status: r.Seen.Status, Latency: r.Seen.Latency})
			}
		}
	}
	e.judgeReal(u)
}

// judgeWeight takes note of the weight that a real server's checks ask for.
func (e *Engine) judgeWeight(u user) {
	r, configured := u.state(), u.configured()
	asked := askedWeight(configured.Checks, e.healthOf)
	was, is := configured.Destination.Weight, configured.Destination.Weight
	if r.asked != nil {
		was = *r.asked
	}
	if asked != nil {
		is = *asked
	}
	r.asked = asked
	if was == is {
		return
	}
	e.event(Event{Kind: KindWeight, VirtualServer: u.service.vs.Name, RealServer: configured.Address().String(),
		From: strconv.Itoa(int(was)), To: strconv.Itoa(int(is)), Reason: "its check asks for it"})
	e.invalidate(u.service)
}

// judgeReal forms a real server's verdict anew from its checks.
func (e *Engine) judgeReal(u user) {
	now := time.Now()
	had := u.standing(now)
	e.judgeWeight(u)
	r, configured := u.state(), u.configured()
	state, because, seen := verdict(configured.Checks, e.healthOf)
	if state == r.state {
		if state == checks.Down && seen.Reason != r.reason {
			r.reason = seen.Reason
			e.invalidate(u.service)
		}
		return
	}
	ev := Event{Kind: KindReal, VirtualServer: u.service.vs.Name, RealServer: configured.Address().String(), Check: because.Name,
		From: r.state.String(), To: state.String(), Reason: seen.Reason, Status: seen.Status, Latency: seen.Latency}
	switch {
	case state == checks.Down:
		r.warming = time.Time{}
	case r.state == checks.Down && state == checks.Up && had == 0 && u.service.vs.SlowStart > 0: // one that a panic kept is warm
		r.warming = now
	}
	switch {
	case state != checks.Unknown:
		r.kept = nil
	case r.state == checks.Up || had > 0: // a reload gave it a new check: it serves as it did until that has a verdict
		r.kept = new(had)
	}
	born := r.state == checks.Unknown && len(configured.Checks) == 0 // up because it is written down: no news
	r.state, r.reason, r.since = state, seen.Reason, now
	if !born {
		e.event(ev)
		if hook, ok := configured.Hooks[ev.To]; ok {
			e.runHook(hookRun{virtualServer: ev.VirtualServer, realServer: ev.RealServer, state: ev.To, reason: ev.Reason, hook: hook})
		}
	}
	e.invalidate(u.service)
}

// healthOf returns the last result of a monitor; the zero Result is unknown.
func (e *Engine) healthOf(key checks.Key) checks.Result { return e.health[key] }

// invalidate has a service planned anew at the end of this turn.
func (e *Engine) invalidate(s *service) {
	e.dirty[s] = struct{}{}
	s.status = nil
	e.stale = true
}

// replan decides the quorum and the rows of every service whose facts changed.
func (e *Engine) replan() {
	if len(e.dirty) == 0 {
		return
	}
	now := time.Now()
	for s := range e.dirty {
		if s.judgePanic() {
			e.event(panicEvent(s))
		}
		had, judged := s.quorum, s.judged
		if s.judge(now) {
			ev := Event{Kind: KindQuorum, VirtualServer: s.vs.Name, To: upDown(s.quorum), Reason: s.reason()}
			if judged {
				ev.From = upDown(had)
			}
			e.event(ev)
			if hook, ok := s.vs.Hooks[ev.To]; ok {
				e.runHook(hookRun{virtualServer: s.vs.Name, state: ev.To, reason: ev.Reason, hook: hook})
			}
			e.roles.tracksChanged = true
		}
		e.table.forget(s.planned)
		s.replan(now)
	}
	for s := range e.dirty {
		e.table.want(s.planned)
	}
	clear(e.dirty)
}

// panicEvent tells that a service panics, or does so no longer.
func panicEvent(s *service) Event {
	ev := Event{Kind: KindPanic, VirtualServer: s.vs.Name, From: "panic", To: "normal"}
	if s.panics {
		ev.From, ev.To = ev.To, ev.From
		ev.Reason = fmt.Sprintf("fewer than %d%% of the real servers pass their checks: keeping those that were up last", s.vs.PanicThreshold)
	}
	return ev
}

// upDown names a quorum's state.
func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
