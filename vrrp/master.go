package vrrp

// serve is section 6.4.3: the machine is master.
func (m *machine) serve(ev event) {
	switch ev.kind {
	case evShutdown:
		m.startLeave(Initialize, false, because(ev.reason))
	case evDemote:
		m.startLeave(Backup, false, because(ev.reason))
	case evHandover:
		m.startLeave(Backup, true, because(ev.reason))
	case evTimer:
		m.serveTimer(ev)
	case evAdvert:
		m.serveAdvert(ev.advert)
	case evHeld:
		if m.silent {
			m.advertise()
		}
	}
}

func (m *machine) serveTimer(ev event) {
	if ev.timer != mainTimer {
		return
	}
	if !m.stalled && !m.silent && ev.late >= m.p.overslept() {
		// Others may have taken over meanwhile: listen before speaking.
		m.stalled = true
		m.set(mainTimer, min(m.p.interval, stallGrace))
		return
	}
	if m.stalled {
		// Nobody did. The addresses may have expired and come back.
		m.stalled = false
		m.do(action{kind: actAnnounce})
	}
	// "If the Adver_Timer fires, then: Send an ADVERTISEMENT, reset the
	// Adver_Timer to Advertisement_Interval."
	m.advertise()
}

func (m *machine) serveAdvert(a heard) {
	switch {
	case a.priority == 0:
		// "If the Priority in the ADVERTISEMENT is 0, then: Send an
		// ADVERTISEMENT, reset the Adver_Timer." Who leaves was a master too,
		// and has drawn the neighbours to itself.
		if m.assert() {
			m.set(mainTimer, m.p.interval)
		}
	case m.stalled:
		// While this router slept another became master. Whatever its
		// priority, it serves; the rest is as after a start.
		m.enterBackup(a, because("%s took over during a stall", a.src))
		m.do(action{kind: actDrop})
	case a.priority > m.p.priority:
		// "If the Priority in the ADVERTISEMENT is greater than the local
		// Priority or ... equal ... and the primary address of the sender is
		// greater: ... Transition to the {Backup} state."
		m.yield(a, because("peer %s priority higher (%d > %d)", a.src, a.priority, m.p.priority))
	case a.priority == m.p.priority && m.p.self.Less(a.src):
		m.yield(a, because("peer %s address higher at equal priority %d", a.src, a.priority))
	default:
		// "Discard the ADVERTISEMENT, and immediately send an ADVERTISEMENT
		// to assert the {Active} state to the sending router and to update
		// any learning bridges." While silent it is the master about to be
		// preempted.
		m.assert()
	}
}

// yield makes the master backup to a's sender, which may not have its
// addresses up yet. After a split the two have been master side by side, and
// neighbours may have followed this one; the winner can only know, and announce
// itself to them, if it hears of it: so this one speaks once more.
func (m *machine) yield(a heard, reason *cause) {
	m.do(action{kind: actSend, priority: m.p.priority})
	m.enterBackup(a, reason)
	m.do(action{kind: actDrop, after: linger})
}

// assert answers another master's advertisement with ours and has the
// addresses announced again, at most once an interval: a flood must not be
// answered by a flood.
func (m *machine) assert() bool {
	if m.silent || m.stalled || m.asserted {
		return false
	}
	m.asserted = true
	m.do(action{kind: actSend, priority: m.p.priority})
	m.do(action{kind: actAnnounce})
	return true
}

// advertise sends the periodic advertisement and arms the next.
func (m *machine) advertise() {
	m.silent, m.asserted = false, false
	m.do(action{kind: actSend, priority: m.p.priority})
	m.set(mainTimer, m.p.interval)
}
