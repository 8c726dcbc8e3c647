package vrrp

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// pair is two routers, the first of higher priority, one of them master.
func pair(t *testing.T, change func(*params)) *sim {
	t.Helper()
	s := newSim(1)
	for _, priority := range []uint8{150, 100} {
		p := params{version: 3, priority: priority, interval: 100 * time.Millisecond, preempt: true}
		if change != nil {
			change(&p)
		}
		s.add(1, p).start()
	}
	s.must(t, time.Second, s.teams)
	if !s.nodes[0].holds[0] || s.nodes[1].holds[0] {
		t.Fatalf("the first router does not serve:\n%s", strings.Join(s.log, "\n"))
	}
	return s
}

// must runs and fails the test if check does.
func (s *sim) must(t *testing.T, d time.Duration, check func() error) {
	t.Helper()
	if err := s.run(d, check); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(s.log, "\n"))
	}
}

// answered fails at the first moment when no machine holds the address.
func (s *sim) answered() error {
	for _, n := range s.nodes {
		if n.holds[0] {
			return nil
		}
	}
	return errors.New("nobody holds the address")
}

// anything is no check.
func anything() error { return nil }

// until runs until the node is in a state, and tells how long that took.
func (s *sim) until(t *testing.T, n *simNode, want State, check func() error) time.Duration {
	t.Helper()
	start := s.now
	for range 10000 {
		if n.byID[0].state == want {
			return s.now.Sub(start)
		}
		s.must(t, time.Millisecond, check)
	}
	t.Fatalf("node %d is not %s after 10 s:\n%s", n.id, want, strings.Join(s.log, "\n"))
	return 0
}

// TestStopWithoutOutage stops the master: the backup takes over within its
// skew, and at every moment somebody holds the address.
func TestStopWithoutOutage(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	a.do(func() { a.core.shutdown(a.clock(), "stopped") })
	skew := b.params[0].skew(b.params[0].interval)
	if took := s.until(t, b, Master, s.answered); took > skew+5*time.Millisecond {
		t.Errorf("takeover after %s, the skew is %s", took, skew)
	}
	s.must(t, time.Second, s.answered)
	if a.holds[0] || !a.core.left() {
		t.Error("the stopped router still holds the address")
	}
}

// TestStopAlone stops a router that nobody can follow: it ends in bounded time.
func TestStopAlone(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	b.kill()
	a.do(func() { a.core.shutdown(a.clock(), "stopped") })
	s.must(t, a.params[0].handover()+10*time.Millisecond, anything)
	if a.holds[0] || !a.core.left() {
		t.Error("the stopped router still holds the address")
	}
}

// TestFailover hands over and comes back by rule, when the successor has had some
// time, without a gap either way.
func TestFailover(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	a.do(func() { a.core.handover(a.clock(), "0", "failover") })
	s.until(t, b, Master, s.answered)
	s.must(t, orderedStay-time.Millisecond, func() error {
		if !b.byID[0].serving() {
			return errors.New("the successor is preempted")
		}
		return s.answered()
	})
	s.until(t, a, Master, s.answered)
	s.must(t, time.Second, s.answered)
	if b.holds[0] {
		t.Error("both hold the address")
	}
}

// TestFailoverThenFailure: who has handed over takes over at once when the successor dies.
func TestFailoverThenFailure(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	a.do(func() { a.core.handover(a.clock(), "0", "failover") })
	s.until(t, b, Master, s.answered)
	s.must(t, 500*time.Millisecond, s.answered)
	b.kill()
	if took, most := s.until(t, a, Master, anything), 4*a.params[0].interval; took > most {
		t.Errorf("took over after %s, want at most %s", took, most)
	}
}

// TestFailoverAlone leaves the master where it is when nobody can follow.
func TestFailoverAlone(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	b.kill()
	a.do(func() { a.core.handover(a.clock(), "0", "failover") })
	s.must(t, 3*time.Second, s.answered)
	if !a.byID[0].serving() {
		t.Errorf("state %s, leaving %t", a.byID[0].state, a.byID[0].leaving)
	}
}

// TestPreemptWithoutOutage brings the better router back: at every moment
// somebody holds the address.
func TestPreemptWithoutOutage(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	a.kill()
	s.until(t, b, Master, anything)
	s.must(t, 100*time.Millisecond, anything)
	a.start()
	s.until(t, a, Master, s.answered)
	s.must(t, time.Second, s.answered)
	if b.byID[0].state != Backup || b.holds[0] {
		t.Errorf("the lower router is %s", b.byID[0].state)
	}
}

// TestNoPreempt honours nopreempt when the better router returns, and still
// lets it take over when the other goes.
func TestNoPreempt(t *testing.T) {
	s := pair(t, func(p *params) { p.preempt = false })
	a, b := s.nodes[0], s.nodes[1]
	a.kill()
	s.until(t, b, Master, anything)
	a.start()
	s.must(t, 10*time.Second, func() error {
		if b.byID[0].state != Master {
			return errors.New("the returning router preempted")
		}
		return nil
	})
	b.kill()
	if took := s.until(t, a, Master, anything); took > 400*time.Millisecond {
		t.Errorf("takeover after %s", took)
	}
}

// TestPreemptDelay waits as long as it was told, and not when nobody is master.
func TestPreemptDelay(t *testing.T) {
	s := newSim(1)
	for _, priority := range []uint8{150, 100} {
		s.add(1, params{version: 3, priority: priority, interval: 100 * time.Millisecond, preempt: true, preemptDelay: 5 * time.Second})
	}
	a, b := s.nodes[0], s.nodes[1]
	b.start()
	s.until(t, b, Master, anything)
	a.start()
	if took := s.until(t, a, Master, anything); took < 5*time.Second || took > 5600*time.Millisecond {
		t.Errorf("preempted after %s, the delay is 5s", took)
	}
	s.must(t, time.Second, anything)
	a.kill()
	if took := s.until(t, b, Master, anything); took > 500*time.Millisecond {
		t.Errorf("takeover after %s", took)
	}
}

// TestStallIsNoFailover stops the master for a moment, and then for so long
// that the other takes over: it returns by rule, without a gap and without a fight.
func TestStallIsNoFailover(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	a.pause()
	s.must(t, 150*time.Millisecond, anything)
	a.resume()
	s.must(t, time.Second, func() error {
		if b.byID[0].state != Backup {
			return errors.New("the backup took over")
		}
		return nil
	})
	for range 8 { // whether it hears first or looks at the time first is up to the simulation
		a.pause()
		s.until(t, b, Master, anything)
		s.must(t, time.Second, anything)
		a.resume()
		s.must(t, 50*time.Millisecond, func() error {
			if b.byID[0].state != Master {
				return errors.New("the successor left before the other had taken over")
			}
			return nil
		})
		if a.byID[0].state != Backup {
			t.Errorf("the stalled master is %s", a.byID[0].state)
		}
		s.until(t, a, Master, s.answered)
		s.must(t, time.Second, s.answered)
	}
}

// TestHealedSplit ends with one master, which announces itself again so that
// neighbours that had followed the other return.
func TestHealedSplit(t *testing.T) {
	s := pair(t, nil)
	a, b := s.nodes[0], s.nodes[1]
	s.cut[[2]int{0, 1}], s.cut[[2]int{1, 0}] = true, true
	s.until(t, b, Master, s.answered)
	s.must(t, time.Second, s.answered)
	clear(s.cut)
	before := a.announced
	s.must(t, 300*time.Millisecond, s.answered)
	if a.byID[0].state != Master || b.byID[0].state != Backup || b.holds[0] {
		t.Errorf("states %s and %s", a.byID[0].state, b.byID[0].state)
	}
	if a.announced == before {
		t.Error("the winner did not announce itself again")
	}
}

// TestFlood sends a thousand advertisements a second of a lower master to the
// master: it stays, its own pace stays, and it does not answer in kind.
func TestFlood(t *testing.T) {
	s := pair(t, nil)
	a := s.nodes[0]
	sent := a.sent
	for range 1000 {
		s.must(t, time.Millisecond, s.answered)
		a.do(func() {
			a.core.receive(a.clock(), a.clock(), a.byID[0], heard{priority: 1, interval: 100 * time.Millisecond, src: lowerIP})
		})
	}
	if n := a.sent - sent; n > 21 {
		t.Errorf("%d advertisements in a second of 10 intervals", n)
	}
}

// TestSyncGroupWaitsForAll keeps a router back that lost sight of its master on
// one of two LANs only.
func TestSyncGroupWaitsForAll(t *testing.T) {
	s := newSim(1)
	for _, priority := range []uint8{150, 100} {
		p := params{version: 3, priority: priority, interval: 100 * time.Millisecond, preempt: true}
		s.add(1, p, p).start()
	}
	s.must(t, time.Second, s.teams)
	s.mute = map[int]bool{0: true} // the first LAN
	s.must(t, 5*time.Second, func() error {
		if s.nodes[1].byID[0].state != Backup {
			return errors.New("half a sync group took over")
		}
		return s.teams()
	})
	s.mute[1] = true
	s.until(t, s.nodes[1], Master, s.teams)
	s.mute = nil
	s.must(t, time.Second, s.teams)
	if got := s.masters(1); len(got) != 1 || got[0] != 0 {
		t.Errorf("masters %v after healing", got)
	}
}

// TestJoinSyncGroup adds a router to a serving sync group: nothing moves but it.
func TestJoinSyncGroup(t *testing.T) {
	s := pair(t, nil)
	a := s.nodes[0]
	p := a.params[0]
	late := newMember(Group{Name: "late"})
	a.do(func() {
		a.core.assign(a.clock(), []place{
			{member: a.byID[0], team: "all", params: p},
			{member: late, team: "all", params: p},
		})
	})
	if !a.byID[0].serving() || !late.serving() {
		t.Errorf("states %s and %s", a.byID[0].state, late.state)
	}
}
