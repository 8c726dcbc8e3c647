package vrrp

import (
	"fmt"
	"slices"
	"time"
)

// core is all the virtual routers of this machine, their sync groups and their
// timers. Like the machines it does no I/O and reads no clock: its methods are
// told the time, and what is to be done is left in effects. One goroutine owns it.
type core struct {
	members   []*member // taking part, in configured order
	departing []*member // no longer configured, until they have left by rule and answer no more
	effects   []effect
	crowds    map[slot]int // scratch of fire
}

// member is one virtual router and what the core knows of it.
type member struct {
	machine
	name  string
	team  *team
	due   [timers]time.Time // zero: not set
	since time.Time         // of the state last reported
	was   State             // the state last reported
	fault fault             // as last told to the machine
	rests time.Time         // when it answers no more for its addresses, once it has left

	postponed bool // its next advertisement has been: see putOff

	body // what it is outside of the core
}

// team is the members that are MASTER together or not at all: those of a sync
// group, or one alone.
type team struct {
	name    string // of the sync group; empty for one alone
	members []*member
}

// fault is why a member cannot take part; without a reason it can.
type fault struct {
	reason string
	hard   bool // nothing can be sent or served; else the member leaves by rule

	invalid bool // it is the orders that are wrong
}

// effectKind is what the core wants done outside.
type effectKind uint8

const (
	effSend effectKind = iota + 1 // an advertisement
	effHold                       // addresses up, announce
	effDrop                       // addresses off, after a while
	effAnnounce
	effTransition
	effProblem
)

// effect is something to be done for a member, in the order of core.effects.
type effect struct {
	kind       effectKind
	member     *member
	priority   uint8         // effSend
	late       time.Duration // effSend: how much later than it was due
	after      time.Duration // effDrop
	transition change
	problem    string
}

// change is a transition, and why it was made, which is not in its words yet.
type change struct {
	Transition
	why *cause
}

// takeover tells whether a master will have been silent for too long at a time.
func (c *core) takeover(at time.Time) bool {
	return slices.ContainsFunc(c.members, func(m *member) bool {
		return m.state == Backup && m.due[mainTimer].Equal(at)
	})
}

// take returns the effects since the last take. The slice is valid until the
// core is called again.
func (c *core) take() []effect {
	e := c.effects
	c.effects = c.effects[:0]
	return e
}

// next returns when the core wants to be called again, or the zero time.
func (c *core) next() time.Time {
	var first time.Time
	for _, list := range [2][]*member{c.members, c.departing} {
		for _, m := range list {
			for _, at := range m.due {
				first = sooner(first, at)
			}
		}
	}
	for _, m := range c.departing {
		if m.state != Master {
			first = sooner(first, m.rests)
		}
	}
	return first
}

// fire runs the timers that are due.
func (c *core) fire(now time.Time) {
	clear(c.crowds)
	for _, list := range [2][]*member{c.members, c.departing} {
		for _, m := range list {
			for t := range timers {
				at := m.due[t]
				if at.IsZero() || at.After(now) {
					continue
				}
				if t == mainTimer && m.speaks() && m.putOff(c.crowd(m, at), now.Sub(at)) {
					continue
				}
				c.expire(now, at, m, t)
			}
		}
	}
	c.bury(now)
}

// expire runs a timer that was due at a time.
func (c *core) expire(now, at time.Time, m *member, t timer) {
	m.due[t] = time.Time{}
	c.step(now, at, m, event{kind: evTimer, timer: t, late: now.Sub(at)})
	c.settle(now, m.team)
}

// receive hands an advertisement to a member, which came at a time. A master that
// has overslept has to know it before it hears who has spoken meanwhile: it would
// bid a successor leave, and then leave itself.
func (c *core) receive(now, came time.Time, m *member, a heard) {
	if m.serving() {
		if at := m.due[mainTimer]; !at.IsZero() && now.Sub(at) >= m.p.overslept() {
			c.expire(now, at, m, mainTimer)
		}
	}
	c.step(now, came, m, event{kind: evAdvert, advert: a})
	c.settle(now, m.team)
	c.bury(now)
}

// bury forgets those who have left, and linger no more.
func (c *core) bury(now time.Time) {
	c.departing = slices.DeleteFunc(c.departing, func(m *member) bool { return m.state != Master && !m.rests.After(now) })
}

// held tells that a member's addresses are up and announced.
func (c *core) held(now time.Time, m *member) {
	c.step(now, now, m, event{kind: evHeld})
}

// handover makes masters leave if others take over, by an operator's wish. A
// team moves as one, so one of its members is enough. It returns why that
// cannot be, if it cannot.
func (c *core) handover(now time.Time, name string, reason string) string {
	i := slices.IndexFunc(c.members, func(m *member) bool { return m.name == name })
	switch {
	case i < 0:
		return "no such group"
	case !c.members[i].serving():
		return "it is not MASTER"
	}
	for _, m := range c.members[i].team.members {
		c.step(now, now, m, event{kind: evHandover, reason: reason})
	}
	return ""
}

// teamOf returns the team of the member of a name, if there is one.
func (c *core) teamOf(name string) *team {
	for _, m := range c.members {
		if m.name == name {
			return m.team
		}
	}
	return nil
}

// known returns the members that are to be told of: one of each name, and who is
// configured before who is leaving.
func (c *core) known() []*member {
	all := slices.Clone(c.members)
	for _, m := range c.departing {
		if !slices.ContainsFunc(c.members, func(o *member) bool { return o.name == m.name }) {
			all = append(all, m)
		}
	}
	return all
}

// shutdown makes every member leave by rule. It is over when left says so.
func (c *core) shutdown(now time.Time, reason string) {
	for _, m := range c.members {
		c.depart(now, m, reason)
	}
	c.members = nil
}

// left tells whether nobody is left that could be master.
func (c *core) left() bool {
	return len(c.members) == 0 && len(c.departing) == 0
}

// depart makes a member leave its team and, by rule, the LAN.
func (c *core) depart(now time.Time, m *member, reason string) {
	if t := m.team; t != nil {
		t.members = slices.DeleteFunc(t.members, func(o *member) bool { return o == m })
	}
	m.team = &team{members: []*member{m}}
	c.step(now, now, m, event{kind: evShutdown, reason: reason})
	if m.state == Master {
		c.departing = append(c.departing, m)
	}
}

// assign gives every member its parameters, its fault and its team, all at
// once: a level, of which the difference becomes events.
func (c *core) assign(now time.Time, places []place) {
	gone := slices.Clone(c.members)
	c.members = c.members[:0]
	teams := make(map[string]*team)
	for _, p := range places {
		gone = slices.DeleteFunc(gone, func(m *member) bool { return m == p.member })
		c.members = append(c.members, p.member)
		t := teams[p.team]
		if t == nil || p.team == "" {
			t = &team{name: p.team}
			teams[p.team] = t
		}
		t.members = append(t.members, p.member)
		p.member.team = t
	}
	for _, m := range gone {
		c.depart(now, m, "no longer configured")
	}
	for _, p := range places {
		c.place(now, p)
	}
	for _, p := range places {
		c.settle(now, p.member.team)
	}
}

// place is where and how a member is to take part.
type place struct {
	member *member
	team   string // name of the sync group, or empty
	params params
	fault  fault
	delay  time.Duration // what is left of start_delay
}

// place brings one member to its place.
func (c *core) place(now time.Time, p place) {
	m := p.member
	was := m.fault
	m.fault = p.fault
	switch {
	case p.fault.reason != "":
		if p.fault != was || m.state == Initialize {
			m.p = p.params
			c.step(now, now, m, event{kind: evFault, reason: p.fault.reason, hard: p.fault.hard})
		}
	case m.state == Initialize || m.state == Fault:
		// Who joins a serving sync group serves at once, instead of taking the
		// others down with it.
		joins := m.team.serving()
		if joins {
			p.delay = 0
		}
		c.step(now, now, m, event{kind: evStartup, params: p.params, delay: p.delay})
		if joins && !m.serving() {
			c.step(now, now, m, event{kind: evPromote})
		}
	default:
		if m.leaving && m.target == Fault {
			c.step(now, now, m, event{kind: evStartup})
		}
		if p.params != m.p {
			c.step(now, now, m, event{kind: evParams, params: p.params})
		}
	}
}

// serving tells whether the machine is master and means to stay.
func (m *machine) serving() bool { return m.state == Master && !m.leaving }

// serving tells whether any member is master and means to stay.
func (t *team) serving() bool {
	return slices.ContainsFunc(t.members, func(m *member) bool { return m.serving() })
}

// settle makes a team one again after one of its members has moved: it becomes
// master when all want it, and none stays master when one is not.
func (c *core) settle(now time.Time, t *team) {
	wants, serves := 0, 0
	var down *member
	for _, m := range t.members {
		switch {
		case m.state == Backup && m.wants:
			wants++
		case m.serving():
			serves++
		case m.state != Master:
			down = m
		}
	}
	switch {
	case wants > 0 && wants+serves == len(t.members):
		for _, m := range t.members {
			if m.state == Backup {
				c.step(now, now, m, event{kind: evPromote})
			}
		}
	case serves > 0 && down != nil:
		reason := fmt.Sprintf("sync partner %s: %s", down.name, down.reason)
		for _, m := range t.members {
			if m.serving() {
				c.step(now, now, m, event{kind: evDemote, reason: reason})
			}
		}
	}
	for _, m := range t.members {
		c.notice(now, m)
	}
}

// step hands an event to a machine and does what it asks for. Timers count
// from base: for a timer that is the time it was due, so that a late
// advertisement does not delay all that follow.
func (c *core) step(now, base time.Time, m *member, ev event) {
	spoke := m.speaks()
	for _, a := range m.step(ev) {
		switch a.kind {
		case actSet:
			at := base.Add(a.after)
			if !at.After(now) {
				at = now.Add(a.after)
			}
			m.due[a.timer] = at
		case actStop:
			m.due[a.timer] = time.Time{}
		case actSend:
			e := effect{kind: effSend, member: m, priority: a.priority}
			if ev.kind == evTimer {
				e.late = ev.late
			}
			c.effects = append(c.effects, e)
		case actHold:
			c.effects = append(c.effects, effect{kind: effHold, member: m})
		case actDrop:
			m.rests = now.Add(a.after)
			c.effects = append(c.effects, effect{kind: effDrop, member: m, after: a.after})
		case actAnnounce:
			c.effects = append(c.effects, effect{kind: effAnnounce, member: m})
		case actProblem:
			c.effects = append(c.effects, effect{kind: effProblem, member: m, problem: a.reason})
		}
	}
	if m.speaks() && (!spoke || ev.kind == evAdvert) {
		m.joinIn(now)
	}
	if len(m.team.members) == 1 {
		c.notice(now, m)
	}
}

// notice reports a change of a member's state once, when it is final: a router
// that starts as owner goes from INIT to MASTER.
func (c *core) notice(now time.Time, m *member) {
	if m.state == m.was || (m.state == Backup && m.wants && len(m.team.members) == 1) {
		return
	}
	c.effects = append(c.effects, effect{kind: effTransition, member: m, transition: change{
		Transition{Group: m.name, From: m.was, To: m.state, At: now}, m.reason,
	}})
	m.was, m.since = m.state, now
}
