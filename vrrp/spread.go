package vrrp

import "time"

// Routers that have become MASTER together would speak together for ever. Hundreds
// of advertisements at once fill their hearers' sockets, and the last of them are
// late by what the others take.
const (
	// together is how many advertisements may be due at the same time.
	together = 8
	// steps is in how many parts of an interval others are put off, by one part
	// each, and farthest the part of an interval, in steps, that none is put off beyond.
	steps, farthest = 256, 32
)

// slot is a step of an interval, for those with the same interval.
type slot struct {
	step time.Duration
	nth  int64
}

// part is what of its interval a member is put off by, once or several times.
func (m *member) part() time.Duration { return max(m.p.interval/steps, 1) }

// crowd returns how many advertisements before this one were due in the same slot.
// Those that are due together only since this process was held up are no crowd.
func (c *core) crowd(m *member, at time.Time) int {
	if c.crowds == nil {
		c.crowds = make(map[slot]int)
	}
	s := slot{m.part(), at.UnixNano() / int64(m.part())}
	c.crowds[s]++
	return c.crowds[s] - 1
}

// putOff puts a master's advertisement off a little if it is due with too many others,
// of which this is the nth, and tells whether it has. The next will be due an interval
// after that, so that it is not needed again. An advertisement is put off once at
// most, and not if it is late already.
func (m *member) putOff(n int, late time.Duration) bool {
	parts := n / together % farthest
	if parts == 0 || m.postponed || late >= m.p.interval/8 {
		m.postponed = false
		return false
	}
	m.postponed = true
	m.due[mainTimer] = m.due[mainTimer].Add(m.part() * time.Duration(parts))
	return true
}

// speaks tells whether the member's main timer is for its advertisements.
func (m *member) speaks() bool { return m.serving() && !m.stalled && !m.silent }

// joinIn has a master speak together with its sync group from the next time on,
// which comes sooner so: after it has begun to, or has spoken out of turn. Each
// time apart wakes two machines, and a backup takes the group over when it has
// missed the last of them.
func (m *member) joinIn(now time.Time) {
	for _, o := range m.team.members {
		at := o.due[mainTimer]
		if o != m && o.speaks() && o.p.interval == m.p.interval && at.After(now) && at.Before(m.due[mainTimer]) {
			m.due[mainTimer] = at
		}
	}
}
