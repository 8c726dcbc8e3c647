package vrrp

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"
)

// body is what a member is outside of the state machine: its packets, its
// addresses and what is counted of both.
type body struct {
	group  Group
	link   link
	own    netip.Addr // that the machine cannot do without
	tap    *tap
	advert advert // what it sends
	signed signatures

	tracks []TrackStatus // never written again

	intent   intent // for the keeper
	dropAt   time.Time
	announce uint64
	doubt    uint64

	sent, received         uint64
	zeroSent, zeroReceived uint64
	becameMaster           uint64
	releasedMaster         uint64
	mismatched             uint64
	sendErrors             uint64
	dropped                [drops]uint64
	lateness               time.Duration
	lastHeard              time.Time
	split                  Split
	stranger               Stranger
	asked                  suspicion // what the keeper was told of the stranger
	told                   Status    // what the reader of the reports was told last
}

func newMember(g Group) *member {
	return &member{name: g.Name, body: body{group: g}}
}

// transition counts a change of state and puts it into the next report.
func (l *loop) transition(m *member, t change) {
	switch {
	case t.To == Master:
		m.becameMaster++
	case t.From == Master:
		m.releasedMaster++
	}
	l.happened = append(l.happened, t)
}

// record logs what has happened, with the time at which it did, and puts it into
// the next report.
func (l *loop) record() {
	for _, c := range l.happened {
		t := c.Transition
		t.Reason = c.why.String()
		if entry := l.log.Check(zap.InfoLevel, "group changed its state"); entry != nil {
			entry.Time = t.At
			entry.Write(zap.String("group", t.Group), zap.Stringer("from", t.From), zap.Stringer("to", t.To), zap.String("reason", t.Reason))
		}
		l.pending.Transitions = append(l.pending.Transitions, t)
	}
	l.happened = nil
	if extra := len(l.pending.Transitions) - maxPending; extra > 0 {
		l.pending.Transitions = slices.Delete(l.pending.Transitions, 0, extra)
	}
}

// maxPending bounds what is kept for a reader that has stopped reading.
const maxPending = 1024

// problem logs an order that failed and puts it into the next report.
func (l *loop) problem(text string) {
	l.log.Warn("order failed", zap.String("reason", text))
	l.pending.Problems = append(l.pending.Problems, text)
	if extra := len(l.pending.Problems) - maxPending; extra > 0 {
		l.pending.Problems = slices.Delete(l.pending.Problems, 0, extra)
	}
}

// gathering is how long news is gathered before it is told. A takeover is the
// transition of each group, then its addresses, then its routes; four reports of it
// at once, and what the engine makes of each, would take the processor from those
// whom the new master is to serve. Who flaps is told of less often.
const gathering = 50 * time.Millisecond

// tellSoon has a report made when the news that comes with this one is there.
func (l *loop) tellSoon(now time.Time) {
	if l.tellAt.IsZero() {
		l.tellAt = now.Add(gathering)
	}
}

// tell begins a report, and sends it unless there are many groups to be looked at:
// then look goes on. With numbers it is the report of this second.
func (l *loop) tell(now time.Time, numbers bool) {
	l.tellAt = time.Time{}
	l.record()
	if numbers {
		l.lastState = now
	}
	all := l.core.known()
	l.survey = survey{began: now, all: all, whole: !slices.Equal(all, l.told.members), numbers: numbers}
	l.look(now)
}

// look goes on with a survey. When it is done the report is sent if the reader has
// room for one; else what it would have said is part of the next.
func (l *loop) look(now time.Time) {
	s := &l.survey
	if !s.look(l.told.turn, func(m *member) Status { return l.status(now, m) }) {
		return
	}
	r := l.pending
	r.Connected, r.Status, r.Whole = true, s.status, len(s.told) == len(s.all)
	if p := l.fitted.of[nil].problem; p != "" {
		r.Problems = append(r.Problems, p)
	}
	for _, m := range l.core.members {
		for _, p := range [2]string{l.kept[m].problem, l.fitted.of[m].problem} {
			if p != "" {
				r.Problems = append(r.Problems, "group "+m.name+": "+p)
			}
		}
		if m.fault.invalid {
			r.Problems = append(r.Problems, "group "+m.name+": "+m.fault.reason)
		}
	}
	select {
	case l.router.reports <- r:
		l.pending = Report{}
		l.told.taken(s)
	default:
	}
	l.survey = survey{}
}

// status is a member's present state.
func (l *loop) status(now time.Time, m *member) Status {
	s := Status{
		Group: m.name, State: m.was, Since: m.since, Reason: m.reason.String(),
		Priority: m.p.priority, Addresses: l.kept[m].held,
		Routes: l.fitted.of[m].routes, Rules: l.fitted.of[m].rules, Closed: l.fitted.of[m].closed,
		LatenessMax: m.lateness, LastAdvertAt: m.lastHeard, Split: m.split, Tracks: m.tracks,
		Stats: Stats{
			Sent: m.sent, Received: m.received,
			BecameMaster: m.becameMaster, ReleasedMaster: m.releasedMaster,
			ZeroSent: m.zeroSent, ZeroReceived: m.zeroReceived,
			AnnouncementsOut: l.kept[m].announced,
			Mismatched:       m.mismatched, SendErrors: m.sendErrors,
		},
	}
	s.Split.Now = m.splitNow(now)
	s.Stranger = m.stranger
	s.Stranger.Now = m.strangerNow(now)
	switch m.state {
	case Master:
		s.MasterAddr, s.MasterPrio = m.p.self, m.p.priority
	case Backup:
		s.MasterAddr, s.MasterPrio = m.master.src, m.master.priority
		if m.rival.priority != 0 {
			s.MasterAddr, s.MasterPrio = m.rival.src, m.rival.priority
		}
	}
	for d := taken + 1; d < drops; d++ {
		if n := m.dropped[d]; n > 0 {
			if s.Stats.Dropped == nil {
				s.Stats.Dropped = make(map[string]uint64)
			}
			s.Stats.Dropped[d.String()] = n
		}
	}
	return s
}

// witness notes another master's advertisement, heard by a master. A router
// that has just taken over hears the one it preempts once more: that is no proof.
func (l *loop) witness(now time.Time, m *member, a heard) {
	if !m.established(now) || a.priority == 0 {
		return
	}
	if !m.splitNow(now) {
		m.split.Since = now
		l.log.Warn("another router is master too", zap.String("group", m.name),
			zap.Stringer("address", a.src), zap.Uint8("priority", a.priority))
	}
	m.split.Last, m.split.Addr, m.split.Priority = now, a.src, a.priority
	m.split.Adverts++
}

// established tells whether the member has been master for long enough to have
// silenced the others.
func (m *member) established(now time.Time) bool {
	return m.serving() && now.Sub(m.since) > m.p.masterDown(m.p.interval)
}

// splitNow tells whether another master is still heard.
func (m *member) splitNow(now time.Time) bool {
	return !m.split.Last.IsZero() && now.Sub(m.split.Last) <= m.p.masterDown(m.p.interval)
}
