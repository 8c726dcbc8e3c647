package checks

import (
	"testing"
	"time"
)

func TestPoolVerdicts(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		l.set("a", bad)
		r := wantResult(t, p, m.scriptedKey(), Up, Down)
		if r.Seen.Reason != "bad" || !r.At.Equal(time.Now()) {
			t.Errorf("decided by %+v at %v, want the last failure, now", r.Seen, r.At)
		}
		if n := len(l.times("a")); n != 4 {
			t.Errorf("down after %d probes, want 4: one good and fall", n)
		}
		l.set("a", good)
		wantResult(t, p, m.scriptedKey(), Down, Up)
		if n := len(l.times("a")); n != 6 {
			t.Errorf("up after %d probes, want 6", n)
		}
		status, ok := p.Status(m.scriptedKey())
		if !ok || status.State != Up || status.Streak != 0 || !status.Last.OK {
			t.Errorf("status %+v, %v", status, ok)
		}
	})
}

// TestPoolOurs wants failures for want of something here not to be counted.
func TestPoolOurs(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		l.set("a", func(int) Observation { return Observation{Reason: "no descriptor", Ours: true} })
		wantNoResult(t, p, 10*time.Second)
		s, _ := p.Status(m.scriptedKey())
		if s.State != Up || s.Streak != 0 || s.Last.Reason != "no descriptor" {
			t.Errorf("status %+v", s)
		}
		if n := p.Stats().Failed; n < 9 {
			t.Errorf("%d failures of our own in the statistics, want 10", n)
		}
	})
}

// TestPoolDamping wants a monitor that goes down too often to be held there,
// and to come up at the end of that.
func TestPoolDamping(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		m.Rise, m.Fall = 1, 1
		m.Damping = Damping{Falls: 2, Within: time.Minute, Hold: 2 * time.Minute}
		l.set("a", func(nth int) Observation { return Observation{OK: nth != 2 && nth != 4} })
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		wantResult(t, p, m.scriptedKey(), Up, Down)
		wantResult(t, p, m.scriptedKey(), Down, Up)
		wantResult(t, p, m.scriptedKey(), Up, Down)
		if s, _ := p.Status(m.scriptedKey()); time.Until(s.HeldUntil) != m.Damping.Hold {
			t.Errorf("held until %v, want %v from now", s.HeldUntil, m.Damping.Hold)
		}
		wantNoResult(t, p, 2*time.Minute-time.Second/2)
		wantResult(t, p, m.scriptedKey(), Down, Up)
	})
}

func TestPoolWeight(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		weigh := func(w int) func(int) Observation {
			return func(int) Observation { return Observation{OK: true, Weight: &w} }
		}
		l.set("a", weigh(5))
		set(p, m)
		if r := wantResult(t, p, m.scriptedKey(), Unknown, Up); r.Seen.Weight == nil || *r.Seen.Weight != 5 {
			t.Errorf("weight %v, want 5", r.Seen.Weight)
		}
		wantNoResult(t, p, 5*time.Second)
		l.set("a", weigh(7))
		if r := wantResult(t, p, m.scriptedKey(), Up, Up); r.Seen.Weight == nil || *r.Seen.Weight != 7 {
			t.Errorf("weight %v, want 7", r.Seen.Weight)
		}
		l.set("a", bad) // a failure says nothing of the weight
		if r := wantResult(t, p, m.scriptedKey(), Up, Down); r.Seen.Weight == nil || *r.Seen.Weight != 7 {
			t.Errorf("weight %v, want 7", r.Seen.Weight)
		}
		l.set("a", good)
		if r := wantResult(t, p, m.scriptedKey(), Down, Down); r.Seen.Weight != nil {
			t.Errorf("weight %v, want none", *r.Seen.Weight)
		}
		wantResult(t, p, m.scriptedKey(), Down, Up)
	})
}

// TestPoolSlowReader wants no probe to wait for the reader, no state to be
// lost, and what cancels out not to be told.
func TestPoolSlowReader(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		a, b := l.monitor("a"), l.monitor("b")
		set(p, a, b)
		wantResult(t, p, (<-p.Results()).otherOf(a, b), Unknown, Up)
		l.set("a", bad)
		l.set("b", bad)
		time.Sleep(10 * time.Second)
		l.set("b", good)
		time.Sleep(10 * time.Second)
		if n := len(l.times("a")); n < 20 {
			t.Errorf("only %d probes in 20 s with nobody reading", n)
		}
		wantResult(t, p, a.scriptedKey(), Up, Down)
		wantNoResult(t, p, 10*time.Second)
	})
}

func (r Result) otherOf(a, b Monitor) Key {
	if r.Key == a.scriptedKey() {
		return b.scriptedKey()
	}
	return a.scriptedKey()
}
