package bfd

import (
	"fmt"
	"time"

	"github.com/lvs-director/director/internal/deadline"
)

// patience is how long a session may take to come up for the first time before
// it counts as down: packets come once a second, and three of them do it.
const patience = 3 * time.Second

// peer is a session at work: its machine, its socket, and what is told of it.
type peer struct {
	deadline.Entry // in the queue

	name    string
	machine *machine
	out     Sender // nil until the first packet, and after an error
	buf     []byte

	born     time.Time
	leaves   time.Time // for good, whatever the neighbour says; zero: it stays
	since    time.Time // of the state
	state    State     // told last
	known    bool      // there is a verdict: it was up, or has had its time
	met      bool      // it was up
	reason   string    // why it is not up
	problem  string    // why packets cannot be sent
	sent     uint64
	received uint64
	dropped  uint64
	downs    uint64
}

func newPeer(name string, config Session, mine uint32, now time.Time) *peer {
	return &peer{name: name, machine: newMachine(config, mine, now), born: now, since: now, state: Down,
		reason: fmt.Sprintf("no packet from %s yet", config.Peer)}
}

// send sends a packet. One that cannot be sent is lost, as any may be. Unless
// the session is up, which must keep its source port (RFC 5881, section 4), the
// socket is made anew for the next: the interface may be another by then.
func (p *peer) send(network Network, packet packet) {
	var err error
	if p.out == nil {
		var out Sender
		if out, err = network.Dial(p.machine.config); err == nil {
			p.out = out
		}
	}
	if err == nil {
		p.buf = packet.appendTo(p.buf[:0])
		if err = p.out.Send(p.buf); err != nil && p.machine.state != Up {
			p.hangUp()
		}
	}
	if err != nil {
		p.problem = err.Error()
		return
	}
	p.problem = ""
	p.sent++
}

func (p *peer) hangUp() {
	if p.out != nil {
		p.out.Close()
		p.out = nil
	}
}

// changed notes a change of the state, and tells whether there was one.
func (p *peer) changed(now time.Time) bool {
	m := p.machine
	if m.state == p.state {
		return false
	}
	switch {
	case m.state == Up:
		p.known, p.reason = true, ""
	case p.state == Up:
		p.downs++
		p.reason = m.downReason()
	case m.state == Init && !p.met:
		p.reason = "packets come in, but the neighbor does not hear ours"
	}
	p.met = p.met || m.state == Up
	p.state, p.since = m.state, now
	return true
}

// downReason says why the session is no longer up.
func (m *machine) downReason() string {
	switch {
	case m.diag != NeighborSignaled:
		return m.diag.String()
	case m.theirState == AdminDown:
		return "neighbor is administratively down"
	case m.theirDiag != NoDiagnostic:
		return fmt.Sprintf("%v: %v", m.diag, m.theirDiag)
	}
	return m.diag.String()
}

// verdictAt is when a session that never came up counts as down.
func (p *peer) verdictAt() time.Time {
	c := p.machine.config
	return p.born.Add(max(patience, time.Duration(c.Multiplier)*max(c.Transmit, c.Receive, slow)))
}

// lookForVerdict ends the wait for a session that does not come up, and tells
// whether it has done so now.
func (p *peer) lookForVerdict(now time.Time) bool {
	if p.known || now.Before(p.verdictAt()) {
		return false
	}
	p.known = true
	return true
}

// next is when the session has something to do; zero is never.
func (p *peer) next() time.Time {
	at := p.machine.next()
	if !p.leaves.IsZero() && (at.IsZero() || p.leaves.Before(at)) {
		at = p.leaves
	}
	if v := p.verdictAt(); !p.known && (at.IsZero() || v.Before(at)) {
		at = v
	}
	return at
}

// status tells how the session is.
func (p *peer) status() Status {
	m := p.machine
	return Status{
		Name: p.name, Session: m.config, State: m.state, Since: p.since, Known: p.known, Reason: p.reason,
		Diagnostic: m.diag, Local: m.mine, Remote: m.theirs, RemoteState: m.theirState, RemoteDiagnostic: m.theirDiag,
		Interval: m.interval(), Detection: m.detection(),
		Sent: p.sent, Received: p.received, Dropped: p.dropped, Downs: p.downs, Problem: p.problem,
	}
}
