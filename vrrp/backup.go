package vrrp

import "time"

// backup is section 6.4.2.
func (m *machine) backup(ev event) {
	switch ev.kind {
	case evShutdown:
		// "Cancel the Active_Down_Timer, transition to the {Initialize} state."
		m.become(Initialize, because(ev.reason))
		m.do(action{kind: actDrop})
	case evTimer:
		m.backupTimer(ev)
	case evAdvert:
		m.backupAdvert(ev.advert)
	case evPromote:
		m.promote()
	}
}

func (m *machine) backupTimer(ev event) {
	if ev.timer == delayTimer {
		m.delay = delayOver
		return
	}
	// A process that was stopped or starved finds its timer run out, but the
	// advertisements it missed wait in its socket: they are heard first.
	if !m.stalled && ev.late > m.master.interval/2 {
		m.stalled = true
		m.set(mainTimer, min(m.master.interval, stallGrace))
		return
	}
	// "If the Active_Down_Timer fires, then: ... Transition to the {Active} state."
	m.stalled = false
	m.wants = true
}

func (m *machine) backupAdvert(a heard) {
	m.stalled = false
	switch {
	case a.priority == 0:
		// "If the Priority in the ADVERTISEMENT is 0, then: Set the
		// Active_Down_Timer to Skew_Time." Unless it has run out already and
		// only the sync group keeps the machine back.
		if !m.wants {
			m.goodbye = true
			m.set(mainTimer, m.p.skew(m.master.interval))
		}
	case m.accepts(a):
		// "Set Active_Adver_Interval to Adver Interval contained in the
		// ADVERTISEMENT, recompute the Skew_Time and the
		// Active_Down_Interval, set the Active_Down_Timer to
		// Active_Down_Interval."
		m.wants, m.rival = false, heard{}
		m.follow(a)
		if a.priority >= m.p.priority && m.delay != delayIdle {
			m.delay = delayIdle
			m.stop(delayTimer)
		}
	default:
		// "Discard the ADVERTISEMENT." The Active_Down_Timer runs on, and
		// when it ends there is a live master to be preempted.
		m.rival = a
	}
	if m.fresh && a.priority != 0 {
		// Somebody else is master: what a former run left must go.
		m.fresh = false
		m.do(action{kind: actDrop})
	}
}

// accepts tells whether a backup obeys an advertisement: "If Preempt_Mode is
// False, or if the Priority in the ADVERTISEMENT is greater than or equal to
// the local Priority". A master that preempt_delay still spares is obeyed too.
func (m *machine) accepts(a heard) bool {
	switch {
	case a.priority >= m.p.priority:
		return true
	case m.p.priority == owner:
		// "the Router that owns the addresses always preempts" (section 6.1).
		return false
	case !m.p.preempt || m.delay == delayRuns:
		return true
	case m.p.preemptDelay <= 0 || m.delay == delayOver:
		return false
	}
	m.delay = delayRuns
	m.set(delayTimer, m.p.preemptDelay)
	return true
}

// spare lets the master be that an operator has handed over to, although it is of
// lower priority: it has hardly begun when a short interval's preemption comes.
func (m *machine) spare(a heard) {
	if a.priority < m.p.priority && m.p.priority != owner && m.p.preempt && m.p.preemptDelay < orderedStay {
		m.delay = delayRuns
		m.set(delayTimer, orderedStay)
	}
}

// follow takes a's sender for the master.
func (m *machine) follow(a heard) {
	if m.p.version == 2 {
		a.interval = m.p.interval
	}
	m.master, m.goodbye = a, false
	m.set(mainTimer, m.p.masterDown(a.interval))
}

// promote makes a backup master.
func (m *machine) promote() {
	rival, silence := m.rival, m.p.masterDown(m.master.interval)
	was, goodbye := m.master, m.goodbye
	m.become(Master, nil)
	m.stop(delayTimer)
	if rival.priority != 0 && m.p.priority > rival.priority {
		// A live master is preempted. Were it silenced first, nobody would
		// answer until our addresses are up and announced: so they come
		// first, and the advertisement when they are there.
		m.reason = because("preempts %s (priority %d > %d)", rival.src, m.p.priority, rival.priority)
		m.silent = true
		m.do(action{kind: actHold})
		m.set(mainTimer, min(m.p.interval, headStart))
		return
	}
	switch {
	case m.p.priority == owner:
		m.reason = because("owner of the addresses")
	case goodbye:
		m.reason = because("master %s left", was.src)
	case was.src.IsValid():
		m.reason = because("master %s silent for %s", was.src, silence.Round(time.Millisecond))
	default:
		m.reason = because("no master heard for %s", silence.Round(time.Millisecond))
	}
	// "Send an ADVERTISEMENT, ... broadcast a gratuitous ARP message ... set
	// the Adver_Timer to Advertisement_Interval, transition to the {Active} state."
	m.do(action{kind: actSend, priority: m.p.priority})
	m.do(action{kind: actHold})
	m.set(mainTimer, m.p.interval)
}
