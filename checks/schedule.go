package checks

import (
	"context"
	"time"

	"github.com/lvs-director/director/internal/deadline"
)

// Defaults for what a Monitor leaves zero.
const (
	defaultInterval = time.Second
	defaultCount    = 1
)

// withDefaults returns m with nothing left at zero.
func (m Monitor) withDefaults() Monitor {
	if m.Interval <= 0 {
		m.Interval = defaultInterval
	}
	if m.FastInterval <= 0 {
		m.FastInterval = m.Interval
	}
	if m.DownInterval <= 0 {
		m.DownInterval = m.Interval
	}
	if m.Timeout <= 0 {
		m.Timeout = m.Interval
	}
	m.Rise = max(m.Rise, defaultCount)
	m.Fall = max(m.Fall, defaultCount)
	if m.Window > 0 {
		// A window that cannot hold them would never give a verdict.
		m.Window = min(max(m.Window, m.Rise, m.Fall), maxWindow)
	}
	return m
}

// shortest returns the shortest of the monitor's intervals.
func (m Monitor) shortest() time.Duration {
	return min(m.Interval, m.FastInterval, m.DownInterval)
}

func (m Monitor) rule() rule { return rule{rise: m.Rise, fall: m.Fall, window: m.Window} }

// pace returns the interval that follows a probe that left the streak s, and
// whether the state is settled. It is not before the first verdict and in a
// streak that may become one.
func (m Monitor) pace(s streak) (interval time.Duration, settled bool) {
	switch {
	case s.state == Unknown || s.run > 0:
		return m.FastInterval, m.FastInterval == m.Interval
	case s.state == Down:
		return m.DownInterval, true
	default:
		return m.Interval, true
	}
}

// entry is one monitor in a Pool.
type entry struct {
	deadline.Entry // in the schedule

	key     Key
	monitor Monitor // with defaults
	run     runner
	dialog  *dialog // if it has one, it is held by the reactor and not run
	gate    *gate
	through string // the way that the probe goes; empty is none

	place  int // of places[monitor.Interval]
	streak streak
	falls  falls
	since  time.Time
	last   Observation
	lastAt time.Time
	weight *int // the last that the probe asked for

	decided   Observation // that led to the state or weight; with the weight
	decidedAt time.Time

	interval time.Duration // that led to due
	due      time.Time     // planned start of the next probe, or of the one in flight, by the schedule's clock
	late     bool          // it was started, or is being, more than half an interval after due
	gone     bool          // removed while running
	stalled  time.Duration // clock.stalled when it was started
	heard    time.Duration // for which we ran in the probes that failed and did not count, since one counted

	told       State // what the reader of Results knows
	toldWeight *int
	queued     bool
}

// runner asks a target once; see Probe.Run.
type runner func(context.Context) Observation

// plan sets when the next probe starts. Times count from planned start to
// planned start, so that no delay adds up. While the state is settled they lie
// on the grid of the entry's place, which keeps any number of monitors spread
// evenly, also after all of them have failed at once and now have another
// interval. The probe after a failure comes exactly FastInterval later.
//
// It returns how many probes are left out. They are those after one that came
// late, because others of its kind had to end first, and never the late one itself:
// so all get their turn, in the order in which they are due. A machine that is too
// slow for all of them makes none late: see Pool.stretch.
func (e *entry) plan(epoch, now time.Time) (leftOut uint64) {
	interval, settled := e.monitor.pace(e.streak)
	next := e.due.Add(min(interval, e.interval))
	wanted := next
	// A probe that took longer than its interval is followed by the next at
	// once, what would be more than half an interval late is left out.
	earliest := now.Add(-interval / 2)
	if next.Before(earliest) {
		next = earliest
		settled = true
	}
	if settled {
		next = onGrid(epoch, next, interval, fraction(e.place))
	}
	e.due, e.interval = next, interval
	return uint64(max(0, next.Sub(wanted)+interval/2) / interval)
}

// planFirst sets when the first probe starts.
func (e *entry) planFirst(epoch, now time.Time) {
	e.interval, _ = e.monitor.pace(e.streak)
	e.due = onGrid(epoch, now, e.interval, fraction(e.place))
}

// unfair reports whether the failure of the probe that has just ended may be our
// fault, for whose stalls it is told. In a time in which this process did not run
// it could not send, and did not hear. So a failure says something of the server
// once we have run for more than half of the timeout, in one probe or, on a machine
// that always has too little time, in several that failed one after the other.
func (e *entry) unfair(stalled time.Duration) bool {
	e.heard += max(0, e.monitor.Timeout-stalled)
	return 2*e.heard <= e.monitor.Timeout
}

// gate bounds how many probes of one kind are in flight.
type gate struct {
	max     int // 0 is no bound
	running int
	waiting []*entry // their time has come, in order
}

func (g *gate) full() bool { return g.max > 0 && g.running >= g.max }

// allowance bounds how fast probes start, so that many that are overdue do not
// become a burst. It grows with twice the rate that the monitors need and
// holds what that rate needs in 8 ms: no 10 ms see three times their share.
type allowance struct {
	rate   float64 // probes per second that the monitors need
	tokens float64
	at     time.Time
}

const (
	catchUp    = 2
	burstTime  = 0.008 // seconds
	smallBurst = 4     // below this nobody minds
)

func (a *allowance) refill(now time.Time) {
	most := max(a.rate*burstTime, smallBurst)
	if a.at.IsZero() {
		a.tokens = most // nothing has started yet, and nothing may be needed yet
	} else {
		a.tokens = min(a.tokens+now.Sub(a.at).Seconds()*a.rate*catchUp, most)
	}
	a.at = now
}

func (a *allowance) spend() bool {
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}
