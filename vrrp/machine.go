package vrrp

import (
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
	delay  time.Duration // evStartup: it is to wait before it takes part
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
	reason *cause // why it is in this state
	master heard  // BACKUP: the master last accepted; its interval is Active_Adver_Interval

	waiting bool  // INIT: start_delay runs
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
		if ev.delay > 0 && !m.waiting {
			m.become(Initialize, because("start_delay: waits for %s", ev.delay.Round(time.Millisecond)))
			m.waiting = true
		}
		m.fresh = true
		if ev.delay > 0 {
			m.set(delayTimer, ev.delay)
			return
		}
		m.enterBackup(heard{interval: m.p.interval}, because("started"))
	case evTimer:
		if m.waiting {
			m.enterBackup(heard{interval: m.p.interval}, because("started"))
		}
	case evShutdown:
		m.become(Initialize, because(ev.reason))
		m.do(action{kind: actDrop})
	}
}

// fail takes the machine out. A hard fault leaves nothing to serve with; else
// a master leaves by rule.
func (m *machine) fail(ev event) {
	switch {
	case m.state == Fault:
		m.reason = because(ev.reason)
	case m.state == Master && !ev.hard && m.leaving:
		m.target, m.stays, m.reason = Fault, false, because(ev.reason)
	case m.state == Master && !ev.hard:
		m.startLeave(Fault, false, because(ev.reason))
	default:
		if m.state == Master {
			m.do(action{kind: actSend, priority: 0}) // for what it is worth
		}
		m.become(Fault, because(ev.reason))
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
		if p.priority == owner && m.master.priority != owner {
			m.wants = true
		}
	case Master:
		if !m.leaving && !m.silent && (p.priority != was.priority || p.interval != was.interval) {
			m.advertise()
		}
	}
}

// enterBackup makes the machine BACKUP to a's sender, or to nobody yet.
func (m *machine) enterBackup(a heard, reason *cause) {
	m.become(Backup, reason)
	m.follow(a)
	m.wants = m.p.priority == owner && a.priority != owner // of two owners one is to yield
	if a.src.IsValid() && a.priority < m.p.priority {
		m.accepts(a) // starts preempt_delay
	}
}

// become enters a state and forgets what belonged to the last one.
func (m *machine) become(s State, reason *cause) {
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
