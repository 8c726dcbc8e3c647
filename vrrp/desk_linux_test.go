package vrrp

import (
	"testing"
	"time"
)

// TestDeskWaits wants a wait to end at its time and not before, asleep or awake,
// and a nudge to end one that would last for an hour.
func TestDeskWaits(t *testing.T) {
	d, err := newKernelDesk()
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, punctual := range []bool{false, true} {
		for _, wait := range []time.Duration{-time.Second, 0, eve / 2, 2 * eve} {
			until := time.Now().Add(wait)
			turns := 0
			for ; time.Now().Before(until); turns++ {
				d.wait(until, punctual)
			}
			// One at the eve, one at the end, and what nudges before have left.
			if turns > 4 {
				t.Errorf("punctual %t: a wait of %v was made of %d", punctual, wait, turns)
			}
		}
		d.nudge()
		d.wait(time.Now().Add(time.Hour), punctual)
		go d.nudge()
		d.wait(time.Now().Add(time.Hour), punctual)
	}
}

// TestTakeoverIsAwaited: what is to be met on time is the end of a master's
// silence, and not an advertisement of one's own.
func TestTakeoverIsAwaited(t *testing.T) {
	c := &stillLoop(t, front(100)).core
	at := c.next()
	if !c.takeover(at) || c.takeover(at.Add(1)) {
		t.Errorf("as backup: %t at its time, %t after it", c.takeover(at), c.takeover(at.Add(1)))
	}
	c.fire(at)
	if m := c.members[0]; m.state != Master || c.takeover(m.due[mainTimer]) {
		t.Errorf("%s, and waits awake for its advertisement", m.state)
	}
}
