package engine

import (
	"fmt"
	"time"

	"github.com/lvs-director/director/checks"
)

// What the checks' pace is, as events tell it.
const (
	paceLate   = "late"
	paceOnTime = "on time"
)

// lateFrom is how late probes may start before an operator should know.
const lateFrom = 250 * time.Millisecond

// leftOutPercent is how many of the probes may be left out before an operator
// should know: single ones are when the machine is busy for a moment.
const leftOutPercent = 5

// paceWindow is the time over which those left out are counted.
const paceWindow = 10 * time.Second

// pace is whether this machine keeps up with its checks.
type pace struct {
	late     bool
	since    time.Time // of late
	reason   string    // why late, and what to do
	last     checks.Stats
	before   checks.Stats // the last ones before it was late
	window   checks.Stats // at the begin of the present paceWindow
	windowAt time.Time
	leftOut  int // percent, in the last paceWindow
}

// judge decides anew whether checks are late, and tells whether that changed.
// Stats.Lag is remembered for 10 s at least, so it does not change often.
func (p *pace) judge(now time.Time, s checks.Stats) (changed bool) {
	if now.Sub(p.windowAt) >= paceWindow {
		p.leftOut = 0
		skipped, started := s.Skipped-p.window.Skipped, s.Started-p.window.Started
		if !p.windowAt.IsZero() && skipped > 0 {
			p.leftOut = int(100 * skipped / (skipped + started))
		}
		p.window, p.windowAt = s, now
	}
	was := p.late
	p.late = s.Lag > lateFrom || p.leftOut > leftOutPercent
	p.reason = ""
	if p.late {
		p.reason = lateReason(s, p.leftOut)
	}
	if p.late && !was {
		p.before = p.last
	}
	p.last = s
	if p.late != was {
		p.since = now
	}
	return p.late != was
}

// lateReason says how late the checks are and what can be done.
func lateReason(s checks.Stats, leftOut int) string {
	text := fmt.Sprintf("probes start up to %v late", s.Lag.Round(time.Millisecond))
	if leftOut > 0 {
		text += fmt.Sprintf(", %d%% are left out", leftOut)
	}
	if s.Waiting > 0 || s.InFlight >= s.Limit {
		return text + fmt.Sprintf("; as many run as may, %d: want a shorter timeout or a longer interval of checks, or more file descriptors", s.InFlight)
	}
	return text + "; the machine gives the director too little processor time: want a longer interval of checks, or less other work"
}

// watchPace tells when the machine cannot keep up with its checks, and when it
// can again. No real server is held to be down for it: see checks.Pool.Run.
func (e *Engine) watchPace(now time.Time) {
	p, s := &e.pace, e.opts.Pool.Stats()
	if !p.judge(now, s) {
		return
	}
	ev := Event{Kind: KindPace, From: paceOnTime, To: paceLate, Reason: p.reason, Lag: s.Lag}
	if !p.late {
		ev = Event{Kind: KindPace, From: paceLate, To: paceOnTime, Reason: fmt.Sprintf("meanwhile %s left out, %s asked again",
			plural(int(s.Skipped-p.before.Skipped), "probe"), plural(int(s.Repeated-p.before.Repeated), "probe"))}
	}
	e.event(ev)
}

// fill takes over the figures of a moment.
func (p *PaceStatus) fill(s checks.Stats) {
	p.Probes, p.InFlight, p.Waiting, p.Started = s.Monitors, s.InFlight, s.Waiting, s.Started
	p.LeftOut, p.Repeated, p.FailedHere, p.Lag = s.Skipped, s.Repeated, s.Failed, s.Lag
}
