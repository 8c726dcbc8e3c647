package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// timer is one of a machine's timers.
type timer uint8

const (
	// mainTimer is the RFC's Adver_Timer while MASTER and its
	// Active_Down_Timer while BACKUP: never both at once.
	mainTimer timer = iota
	// delayTimer is preempt_delay, counted from the first advertisement of a
	// master that could be preempted.
	delayTimer
	// leaveTimer bounds the wait for a successor.
	leaveTimer
	timers
)

// eventKind is what happened to a machine.
type eventKind uint8

const (
	evStartup  eventKind = iota + 1 // take part
	evShutdown                      // leave for good, by rule
	evHandover                      // leave if somebody takes over, by an operator's wish
	evFault                         // cannot or may not take part any longer
	evTimer                         // a timer ran out
	evAdvert                        // an advertisement was heard
	evParams                        // the configuration or the priority changed
	evPromote                       // the sync group becomes master
	evDemote                        // the sync group is no longer master
	evHeld                          // the addresses are up and announced
)

// event is something that happens to a machine. Kind says which fields count.
type event struct {
	kind   eventKind
	timer  timer         // evTimer
	late   time.Duration // evTimer: how much later than set
	advert heard         // evAdvert
	params params        // evStartup, evParams
	reason string        // evFault, evShutdown, evHandover, evDemote
	hard   bool          // evFault: nothing can be sent or served any more
}

// heard is what a machine needs of an advertisement from another router.
type heard struct {
	priority uint8
	interval time.Duration
	src      netip.Addr
}

// actionKind is what a machine wants done.
type actionKind uint8

const (
	actSend     actionKind = iota + 1 // an advertisement of this priority
	actSet                            // a timer
	actStop                           // a timer
	actHold                           // put the addresses up and announce them
	actDrop                           // take the addresses off after a while
	actAnnounce                       // announce the addresses again
	actProblem                        // tell that an order failed
)

// action is something a machine wants done, in the order of the slice it is in.
type action struct {
	kind     actionKind
	priority uint8
	timer    timer
	after    time.Duration // actSet, actDrop
	reason   string        // actProblem
}

// machine is the state machine of one virtual router (RFC 9568, section 6.4).
// It does no I/O and reads no clock. Sync groups are above it: a BACKUP whose
// master is gone only says so (wants), and becomes MASTER when told (evPromote).
type machine struct {
	p      params
	state  State
	reason string // why it is in this state
	master heard  // BACKUP: the master last accepted; its interval is Active_Adver_Interval

	wants   bool  // BACKUP: the Active_Down_Timer ran out
	goodbye bool  // BACKUP: the master said that it leaves
	rival   heard // BACKUP: a master of lower priority heard since the last one accepted
	delay   delay // BACKUP: where preempt_delay stands
	fresh   bool  // BACKUP: nothing heard since the start: addresses of a former run may still be up
	stalled bool  // slept past a deadline and listens before it decides

	silent   bool // MASTER: preempting, and has not advertised yet
	asserted bool // MASTER: has answered a lower advertisement in this interval
	leaving  bool // MASTER: has told that it leaves, serves until the successor is heard
	target   State
	stays    bool // MASTER, leaving: remains master if nobody takes over

	acts []action
}

// delay is where preempt_delay stands.
type delay uint8

const (
	delayIdle delay = iota
	delayRuns
	delayOver
)

// step tells the machine what happened and returns what is to be done. The
// slice is valid until the next step.
func (m *machine) step(ev event) []action {
	m.acts = m.acts[:0]
	switch {
	case ev.kind == evParams:
		m.change(ev.params)
	case ev.kind == evFault:
		m.fail(ev)
	case m.state == Backup:
		m.backup(ev)
	case m.state == Master && m.leaving:
		m.leave(ev)
	case m.state == Master:
		m.serve(ev)
	default:
		m.initialize(ev)
	}
	return m.acts
}

// initialize is section 6.4.1; a machine in FAULT waits in the same way.
func (m *machine) initialize(ev event) {
	switch ev.kind {
	case evStartup:
		// "If the Priority associated with the Virtual Router is 255 ...
		// Transition to the {Active} state": through wants, since a sync group may have
		// to be asked, but at once.
		//
		// "(115) + Set Active_Adver_Interval to Advertisement_Interval, (120)
		// set the Active_Down_Timer to Active_Down_Interval, (125) transition
		// to the {Backup} state."
		m.p = ev.params
		m.fresh = true
		m.enterBackup(heard{interval: m.p.interval}, "started")
	case evShutdown:
		m.become(Initialize, ev.reason)
		m.do(action{kind: actDrop})
	}
}

// backup is section 6.4.2.
func (m *machine) backup(ev event) {
	switch ev.kind {
	case evShutdown:
		// "Cancel the Active_Down_Timer, transition to the {Initialize} state."
		m.become(Initialize, ev.reason)
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
	case !m.p.preempt:
		return true
	case m.p.preemptDelay <= 0 || m.delay == delayOver:
		return false
	}
	if m.delay == delayIdle {
		m.delay = delayRuns
		m.set(delayTimer, m.p.preemptDelay)
	}
	return true
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
	m.become(Master, "")
	m.stop(delayTimer)
	if rival.priority != 0 && m.p.priority > rival.priority {
		// A live master is preempted. Were it silenced first, nobody would
		// answer until our addresses are up and announced: so they come
		// first, and the advertisement when they are there.
		m.reason = fmt.Sprintf("preempts %s (priority %d > %d)", rival.src, m.p.priority, rival.priority)
		m.silent = true
		m.do(action{kind: actHold})
		m.set(mainTimer, min(m.p.interval, headStart))
		return
	}
	switch {
	case m.p.priority == owner:
		m.reason = "owner of the addresses"
	case goodbye:
		m.reason = fmt.Sprintf("master %s left", was.src)
	case was.src.IsValid():
		m.reason = fmt.Sprintf("master %s silent for %s", was.src, silence.Round(time.Millisecond))
	default:
		m.reason = fmt.Sprintf("no master heard for %s", silence.Round(time.Millisecond))
	}
	// "Send an ADVERTISEMENT, ... broadcast a gratuitous ARP message ... set
	// the Adver_Timer to Advertisement_Interval, transition to the {Active} state."
	m.do(action{kind: actSend, priority: m.p.priority})
	m.do(action{kind: actHold})
	m.set(mainTimer, m.p.interval)
}

// serve is section 6.4.3: the machine is master.
func (m *machine) serve(ev event) {
	switch ev.kind {
	case evShutdown:
		m.startLeave(Initialize, false, ev.reason)
	case evDemote:
		m.startLeave(Backup, false, ev.reason)
	case evHandover:
		m.startLeave(Backup, true, ev.reason)
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
	if !m.stalled && !m.silent && ev.late >= (downAdverts-1)*m.p.interval {
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
		m.enterBackup(a, fmt.Sprintf("%s took over during a stall", a.src))
		m.do(action{kind: actDrop})
	case a.priority > m.p.priority:
		// "If the Priority in the ADVERTISEMENT is greater than the local
		// Priority or ... equal ... and the primary address of the sender is
		// greater: ... Transition to the {Backup} state."
		m.yield(a, fmt.Sprintf("peer %s priority higher (%d > %d)", a.src, a.priority, m.p.priority))
	case a.priority == m.p.priority && m.p.self.Less(a.src):
		m.yield(a, fmt.Sprintf("peer %s address higher at equal priority %d", a.src, a.priority))
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
func (m *machine) yield(a heard, reason string) {
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

// startLeave tells the others that this master leaves, and goes on serving
// until one of them is heard. "If a Shutdown event is received, then: Cancel
// the Adver_Timer, send an ADVERTISEMENT with Priority = 0, transition to the
// {Initialize} state" would leave nobody to answer for the successor's skew time.
func (m *machine) startLeave(target State, stays bool, reason string) {
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
		m.remain(m.reason + ", and passed")
	case evShutdown:
		m.target, m.stays, m.reason = Initialize, false, ev.reason
	case evDemote:
		m.stays = false
	case evTimer:
		switch {
		case ev.timer == mainTimer:
			m.do(action{kind: actSend, priority: 0})
			m.set(mainTimer, max(m.p.interval, m.p.skew(m.p.interval)))
		case ev.timer == leaveTimer && m.stays:
			m.do(action{kind: actProblem, reason: "no other router took over: remains master"})
			m.remain("nobody took over")
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
func (m *machine) remain(reason string) {
	m.leaving, m.stays = false, false
	m.reason = reason
	m.stop(leaveTimer)
	m.do(action{kind: actAnnounce})
	m.advertise()
}

// left ends a leave: the successor a has been heard, or nobody.
func (m *machine) left(a heard, after time.Duration) {
	target, reason := m.target, m.reason
	if target == Backup {
		m.enterBackup(a, reason)
	} else {
		m.become(target, reason)
	}
	m.do(action{kind: actDrop, after: after})
}

// fail takes the machine out. A hard fault leaves nothing to serve with; else
// a master leaves by rule.
func (m *machine) fail(ev event) {
	switch {
	case m.state == Fault:
		m.reason = ev.reason
	case m.state == Master && !ev.hard && m.leaving:
		m.target, m.stays, m.reason = Fault, false, ev.reason
	case m.state == Master && !ev.hard:
		m.startLeave(Fault, false, ev.reason)
	default:
		if m.state == Master {
			m.do(action{kind: actSend, priority: 0}) // for what it is worth
		}
		m.become(Fault, ev.reason)
		m.do(action{kind: actDrop})
	}
}

// change takes new parameters without a change of state.
func (m *machine) change(p params) {
	was := m.p
	m.p = p
	switch m.state {
	case Backup:
		if p.version == 2 || !m.master.src.IsValid() {
			m.master.interval = p.interval
		}
		if p.priority == owner {
			m.wants = true
		}
	case Master:
		if !m.leaving && !m.silent && (p.priority != was.priority || p.interval != was.interval) {
			m.advertise()
		}
	}
}

// enterBackup makes the machine BACKUP to a's sender, or to nobody yet.
func (m *machine) enterBackup(a heard, reason string) {
	m.become(Backup, reason)
	m.follow(a)
	m.wants = m.p.priority == owner
	if a.src.IsValid() && a.priority < m.p.priority {
		m.accepts(a) // starts preempt_delay
	}
}

// become enters a state and forgets what belonged to the last one.
func (m *machine) become(s State, reason string) {
	fresh := m.fresh && s == Backup
	*m = machine{p: m.p, state: s, reason: reason, fresh: fresh, acts: m.acts}
	for t := range timers {
		m.stop(t)
	}
}

func (m *machine) do(a action) { m.acts = append(m.acts, a) }

func (m *machine) set(t timer, d time.Duration) {
	m.do(action{kind: actSet, timer: t, after: d})
}

func (m *machine) stop(t timer) { m.do(action{kind: actStop, timer: t}) }
