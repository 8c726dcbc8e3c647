package vrrp

import "time"

// startLeave tells the others that this master leaves, and goes on serving
// until one of them is heard. "If a Shutdown event is received, then: Cancel
// the Adver_Timer, send an ADVERTISEMENT with Priority = 0, transition to the
// {Initialize} state" would leave nobody to answer for the successor's skew time.
func (m *machine) startLeave(target State, stays bool, reason *cause) {
	m.leaving, m.silent, m.stalled = true, false, false
	m.target, m.stays, m.reason = target, stays, reason
	m.do(action{kind: actSend, priority: 0})
	m.set(mainTimer, max(m.p.interval, m.p.skew(m.p.interval)))
	m.set(leaveTimer, m.p.handover())
}

// leave is what remains of section 6.4.3 for a master that has said goodbye.
func (m *machine) leave(ev event) {
	switch ev.kind {
	case evStartup:
		// What made it leave has passed before anybody took over.
		m.remain(because("%s, and passed", m.reason))
	case evShutdown:
		m.target, m.stays, m.reason = Initialize, false, because(ev.reason)
	case evDemote:
		m.stays = false
	case evTimer:
		switch {
		case ev.timer == mainTimer:
			m.do(action{kind: actSend, priority: 0})
			m.set(mainTimer, max(m.p.interval, m.p.skew(m.p.interval)))
		case ev.timer == leaveTimer && m.stays:
			m.do(action{kind: actProblem, reason: "no other router took over: remains master"})
			m.remain(because("nobody took over"))
		case ev.timer == leaveTimer:
			m.left(heard{interval: m.p.interval}, 0)
		}
	case evAdvert:
		if ev.advert.priority != 0 {
			m.left(ev.advert, linger)
		}
	}
}

// remain takes a leave back.
func (m *machine) remain(reason *cause) {
	m.leaving, m.stays = false, false
	m.reason = reason
	m.stop(leaveTimer)
	m.do(action{kind: actAnnounce})
	m.advertise()
}

// left ends a leave: the successor a has been heard, or nobody.
func (m *machine) left(a heard, after time.Duration) {
	target, reason, ordered := m.target, m.reason, m.stays
	if target == Backup {
		m.enterBackup(a, reason)
		if ordered {
			m.spare(a)
		}
	} else {
		m.become(target, reason)
	}
	m.do(action{kind: actDrop, after: after})
}
