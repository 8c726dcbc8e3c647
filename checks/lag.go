package checks

import "time"

// clock notices time in which this process did not run: stopped, starved of
// processor, or its machine suspended. It is armed with the time at which the
// scheduler wants to wake, and what it wakes later is a stall.
type clock struct {
	armed   time.Time
	stalled time.Duration // sum of all stalls
	lag     recentMax
}

// heartbeat is how long the scheduler sleeps at most while a probe is in
// flight, so that no stall longer than this goes unnoticed.
const heartbeat = 50 * time.Millisecond

// wakeSlack is how late a timer may fire before we call it a stall: a busy
// machine is late by some milliseconds all the time and yet can hear.
const wakeSlack = 25 * time.Millisecond

// woke notes that it is now, in whichever goroutine.
func (c *clock) woke(now time.Time) {
	if late := now.Sub(c.armed); !c.armed.IsZero() && late > wakeSlack {
		c.stalled += late
		c.lag.add(now, late)
		c.armed = now
	}
}

// recentMax is the largest value of the last lagWindow to 2 × lagWindow.
type recentMax struct {
	since       time.Time
	older, this time.Duration
}

const lagWindow = 10 * time.Second

func (r *recentMax) add(now time.Time, d time.Duration) {
	r.turn(now)
	r.this = max(r.this, d)
}

func (r *recentMax) get(now time.Time) time.Duration {
	r.turn(now)
	return max(r.older, r.this)
}

func (r *recentMax) turn(now time.Time) {
	switch age := now.Sub(r.since); {
	case age >= 2*lagWindow:
		*r = recentMax{since: now}
	case age >= lagWindow:
		*r = recentMax{since: r.since.Add(lagWindow), older: r.this}
	}
}

// Stats tells how the Pool keeps up.
type Stats struct {
	Monitors int
	InFlight int
	Limit    int    // of InFlight
	Waiting  int    // their time has come, but as many of their kind as may run are running
	Started  uint64 // probes, since the beginning
	Repeated uint64 // probes that failed while this process did not run, and were asked again
	Failed   uint64 // probes that failed for want of something on this machine; not counted
	Skipped  uint64 // probes left out: intervals were longer than configured, for want of time or of room for their kind
	// Lag is the largest delay of the last 10 to 20 seconds, between the time
	// for which a probe was planned and its start.
	Lag time.Duration
}

// Stats returns how the Pool keeps up.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Monitors, s.InFlight, s.Limit = len(p.entries), p.running, p.limit
	s.Skipped += uint64(p.leftOut)
	for _, g := range p.gates {
		s.Waiting += len(g.waiting)
	}
	s.Lag = p.clock.lag.get(time.Now())
	return s
}
