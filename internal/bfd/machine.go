package bfd

import (
	"time"
)

// slow is the shortest interval of a session that is not up: "When
// bfd.SessionState is not Up, the system MUST set bfd.DesiredMinTxInterval to a
// value of not less than one second" (RFC 5880, section 6.8.3).
const slow = time.Second

// unheard is bfd.RemoteMinRxInterval before the neighbour has said its own
// (section 6.8.1: one microsecond).
const unheard = time.Microsecond

// machine is the state machine of one session (RFC 5880, section 6.8). It does
// no I/O, reads no clock and has no randomness: times and jitter come with what
// happens. Whoever drives it calls receive for each packet, and tick when the
// time that next returns has come; both may leave a packet to be sent now,
// which output returns.
//
// The comments name the RFC's variables.
type machine struct {
	config Session

	state State      // bfd.SessionState
	diag  Diagnostic // bfd.LocalDiag
	mine  uint32     // bfd.LocalDiscr

	theirs      uint32     // bfd.RemoteDiscr; 0 is unknown
	theirState  State      // bfd.RemoteSessionState
	theirDiag   Diagnostic // as it said last
	theirMinRx  time.Duration
	theirMinTx  time.Duration
	theirMult   uint8
	theirDemand bool // bfd.RemoteDemandMode

	desiredMinTx  time.Duration // bfd.DesiredMinTxInterval, as sent
	requiredMinRx time.Duration // bfd.RequiredMinRxInterval, as sent
	// What is in use until the poll sequence has told the neighbour of a change
	// that would hurt before it knows.
	usedMinTx time.Duration
	usedMinRx time.Duration

	polling bool // a poll sequence is under way
	final   bool // the next packet answers a poll
	urgent  bool // a packet is to be sent now, whatever the interval

	sendAt   time.Time     // of the next packet; zero is never
	sentAt   time.Time     // of the last one
	heard    time.Time     // when the last packet was taken; zero since the detection time has expired
	pardoned time.Duration // of it: see pardon
	now      time.Time     // of what happens now
}

// newMachine returns a session that has not begun: its first packet is due at
// once. mine is its discriminator: not 0, and no other session's.
func newMachine(config Session, mine uint32, now time.Time) *machine {
	m := &machine{config: config, mine: mine, state: Down, theirState: Down, theirMinRx: unheard, now: now}
	m.desiredMinTx, m.requiredMinRx = m.wantedMinTx(), config.Receive
	m.usedMinTx, m.usedMinRx = m.desiredMinTx, m.requiredMinRx
	m.plan()
	return m
}

// wantedMinTx is what bfd.DesiredMinTxInterval must be in this state.
func (m *machine) wantedMinTx() time.Duration {
	if m.state == Up {
		return m.config.Transmit
	}
	return max(m.config.Transmit, slow)
}

// receive takes a packet that belongs to this session (RFC 5880, section 6.8.6,
// from "Set bfd.RemoteDiscr to the value of My Discriminator" on).
func (m *machine) receive(now time.Time, p packet) drop {
	m.now = now
	m.theirs, m.theirState, m.theirDiag, m.theirDemand = p.mine, p.state, p.diag, p.demand
	m.theirMinRx, m.theirMinTx, m.theirMult = p.minRx, p.minTx, p.multiplier
	// "If a Poll Sequence is being transmitted by the local system and the Final
	// (F) bit in the received packet is set, the Poll Sequence MUST be terminated."
	if p.final && m.polling {
		m.polling = false
		m.usedMinTx, m.usedMinRx = m.desiredMinTx, m.requiredMinRx
	}
	// "If bfd.SessionState is AdminDown: Discard the packet"
	if m.state == AdminDown {
		return dropAdmin
	}
	m.heard, m.pardoned = now, 0
	switch {
	case p.state == AdminDown:
		if m.state != Down {
			m.enter(Down, NeighborSignaled)
		}
	case m.state == Down && p.state == Down:
		m.enter(Init, NoDiagnostic)
	case m.state == Down && p.state == Init:
		m.enter(Up, NoDiagnostic)
	case m.state == Init && (p.state == Init || p.state == Up):
		m.enter(Up, NoDiagnostic)
	case m.state == Up && p.state == Down:
		m.enter(Down, NeighborSignaled)
	}
	// "If the Poll (P) bit is set, send a BFD Control packet to the remote system
	// with the Poll (P) bit clear, and the Final (F) bit set"
	m.final = m.final || p.poll
	m.plan()
	return kept
}

// enter changes the state and what follows from it. The neighbour is to learn
// it at once (section 6.8.7, last paragraph).
func (m *machine) enter(s State, why Diagnostic) {
	if s != Init { // on the way up it still tells why the last session failed
		m.diag = why
	}
	m.state, m.urgent = s, true
	m.retime()
}

// retime makes the intervals what configuration and state want.
func (m *machine) retime() {
	minTx, minRx := m.wantedMinTx(), m.config.Receive
	if minTx == m.desiredMinTx && minRx == m.requiredMinRx {
		return
	}
	// "If either bfd.DesiredMinTxInterval is changed or bfd.RequiredMinRxInterval
	// is changed, a Poll Sequence MUST be initiated" (section 6.8.3).
	m.polling, m.urgent = true, true
	// "If bfd.DesiredMinTxInterval is increased and bfd.SessionState is Up, the
	// actual transmission interval used MUST NOT change until the Poll Sequence
	// described above has terminated."
	if m.state != Up || minTx < m.usedMinTx {
		m.usedMinTx = minTx
	}
	// "If bfd.RequiredMinRxInterval is reduced and bfd.SessionState is Up, the
	// previous value of bfd.RequiredMinRxInterval MUST be used when calculating
	// the Detection Time for the remote system until the Poll Sequence described
	// above has terminated."
	if m.state != Up || minRx > m.usedMinRx {
		m.usedMinRx = minRx
	}
	m.desiredMinTx, m.requiredMinRx = minTx, minRx
}

// configure gives the session other parameters for the same neighbour.
func (m *machine) configure(now time.Time, config Session) {
	m.now = now
	if config.Multiplier != m.config.Multiplier {
		m.urgent = true
	}
	m.config = config
	m.retime()
	m.plan()
}

// disable ends the session administratively (section 6.8.16).
func (m *machine) disable(now time.Time) {
	m.now = now
	m.enter(AdminDown, AdministratorDown)
	m.plan()
}

// detection is how long without a packet means that the neighbour is lost: "the
// value of Detect Mult received from the remote system, multiplied by the agreed
// transmit interval of the remote system" (section 6.8.4). Zero is before it has
// said any.
func (m *machine) detection() time.Duration {
	return time.Duration(m.theirMult) * max(m.usedMinRx, m.theirMinTx)
}

// expiry is when the detection time expires, if no packet comes before; zero is never.
func (m *machine) expiry() time.Time {
	if m.heard.IsZero() {
		return time.Time{}
	}
	return m.heard.Add(m.detection())
}

// demanded tells whether the neighbour's demand mode is active: it wants no
// periodic packets. It sends its own all the same, as ours never is.
func (m *machine) demanded() bool {
	return m.theirDemand && m.state == Up && m.theirState == Up
}

// tick does what is due at now.
func (m *machine) tick(now time.Time) {
	m.now = now
	if at := m.expiry(); !at.IsZero() && !now.Before(at) {
		m.heard = time.Time{}
		// "If a period of a Detection Time passes without the receipt of a valid,
		// authenticated BFD packet from the remote system, this variable MUST be
		// set to zero." (section 6.8.1, bfd.RemoteDiscr)
		m.theirs, m.theirState, m.theirDemand, m.theirMinRx = 0, Down, false, unheard
		if m.state == Init || m.state == Up {
			m.enter(Down, DetectionExpired)
		}
	}
	m.plan()
}

// pardon puts the expiry off by a time in which this machine did not look: what has
// come meanwhile may not have been taken yet. A machine that is a little late again and
// again would never miss anybody, so that what has been pardoned since the last packet is
// counted, and when it is a detection time that was enough.
func (m *machine) pardon(now time.Time, late time.Duration) {
	if m.heard.IsZero() || m.pardoned >= m.detection() {
		return
	}
	late = min(late, now.Sub(m.heard))
	m.heard = m.heard.Add(late)
	m.pardoned += late
}

// interval is the agreed time between our packets, before jitter: "the larger
// of bfd.DesiredMinTxInterval and bfd.RemoteMinRxInterval" (section 6.8.2).
func (m *machine) interval() time.Duration { return max(m.usedMinTx, m.theirMinRx) }

// jittered shortens an interval by chance, given as 0 to 1, to 75 to 100 % of
// it, so that sessions do not beat in step; with a multiplier of 1 to 90 % at
// most, or the neighbour would find each packet too late (section 6.8.7).
func jittered(interval time.Duration, multiplier uint8, chance float64) time.Duration {
	least, most := 0.75, 1.0
	if multiplier == 1 {
		most = 0.90
	}
	return time.Duration(float64(interval) * (least + chance*(most-least)))
}

// silent tells whether no packet may be sent now but an answer to a poll
// (section 6.8.7).
func (m *machine) silent() bool {
	switch {
	case m.theirs == 0 && m.config.Passive:
		return true
	case m.theirMinRx == 0:
		return true
	case m.demanded() && !m.polling:
		return true
	}
	return false
}

// plan keeps the time of the next packet true to what has changed.
func (m *machine) plan() {
	switch {
	case m.silent():
		m.sendAt = time.Time{}
		// A change of state is told all the same where the neighbour has only
		// stopped the periodic packets; a passive side has nobody to tell.
		m.urgent = m.urgent && m.theirs != 0
	case m.sendAt.IsZero(): // the silence has ended
		m.sendAt = m.now
	default:
		// The interval has become shorter: it counts from the last packet.
		if at := m.sentAt.Add(m.interval()); !m.sentAt.IsZero() && at.Before(m.sendAt) {
			m.sendAt = at
		}
	}
}

// next returns when tick must be called, if nothing happens before; zero is never.
func (m *machine) next() time.Time {
	at := m.sendAt
	if e := m.expiry(); !e.IsZero() && (at.IsZero() || e.Before(at)) {
		at = e
	}
	return at
}

// output returns the packet that is to be sent now, if there is one, and plans
// the next: call it after each of the other methods, until there is none.
func (m *machine) output(now time.Time, chance float64) (packet, bool) {
	periodic := !m.sendAt.IsZero() && !now.Before(m.sendAt)
	if !m.final && !m.urgent && !periodic {
		return packet{}, false
	}
	p := packet{
		diag: m.diag, state: m.state, multiplier: m.config.Multiplier, mine: m.mine, yours: m.theirs,
		minTx: m.desiredMinTx, minRx: m.requiredMinRx,
		// Never both: a poll waits for the next packet.
		final: m.final, poll: m.polling && !m.final,
	}
	m.final, m.urgent = false, false
	m.sentAt = now
	if !m.sendAt.IsZero() {
		m.sendAt = now.Add(jittered(m.interval(), m.config.Multiplier, chance))
	}
	return p, true
}
