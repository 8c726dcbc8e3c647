package bfd

import "time"

// farewell bounds how long a session that ends goes on: nobody's stop is to wait
// for the detection time of a slow session.
const farewell = 5 * time.Second

// dismiss ends a session administratively. "BFD Control packets SHOULD be
// transmitted for at least a Detection Time after transitioning to AdminDown state
// in order to ensure that the remote system is aware of the state change" (RFC
// 5880, section 6.8.16): so for that long, or until the neighbour says that it has
// gone down.
func (s *Speaker) dismiss(p *peer, now time.Time) {
	linked := p.machine.state == Init || p.machine.state == Up
	p.machine.disable(now)
	s.leaving[p] = true
	if linked {
		p.known = true // nobody waits for a verdict any more
		p.leaves = now.Add(min(farewell, time.Duration(p.machine.config.Multiplier)*p.machine.interval()))
	}
	s.flush(p, now)
	if !linked {
		s.forget(p)
	}
}

// forget ends a session for good.
func (s *Speaker) forget(p *peer) {
	p.hangUp()
	s.queue.Remove(p)
	delete(s.leaving, p)
	delete(s.byDiscr, p.machine.mine)
}
