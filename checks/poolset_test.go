package checks

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPoolSetKeeps(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		l.set("a", bad)
		time.Sleep(2 * time.Second) // two failures of three
		synctest.Wait()
		before, _ := p.Status(m.scriptedKey())
		first := l.times("a")[0]

		set(p, m, l.monitor("b")) // the same, and one more
		if after, _ := p.Status(m.scriptedKey()); after != before {
			t.Errorf("Set with an equal monitor changed its status from %+v to %+v", before, after)
		}
		<-p.Results() // b is up

		lenient := m
		lenient.Fall = 10
		set(p, lenient)
		if after, ok := p.Status(lenient.scriptedKey()); !ok || after.State != Up || after.Streak < 2 {
			t.Errorf("a change of policy lost the state: %+v, %v", after, ok)
		}
		if _, ok := p.Status(m.scriptedKey()); ok {
			t.Error("the monitor with the old policy is still there")
		}
		wantResult(t, p, lenient.scriptedKey(), Up, Down)
		times := l.times("a")
		if len(times) != 11 {
			t.Errorf("down after %d probes, want one good and ten bad", len(times))
		}
		if off := (times[10] - first) % time.Second; off > tick && off < time.Second-tick {
			t.Errorf("Set moved the schedule by %v", off)
		}

		p.Set(nil)
		ran := len(l.times("a"))
		time.Sleep(time.Minute)
		if n := len(l.times("a")); n != ran {
			t.Errorf("%d probes of a removed monitor", n-ran)
		}
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Down)
	})
}

func TestPoolSeed(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		up, down := l.monitor("up"), l.monitor("down")
		l.took["up"], l.took["down"] = 100*time.Millisecond, 100*time.Millisecond // so that it can be seen before
		since := time.Now().Add(-time.Hour)
		p.Seed(map[Key]Status{
			up.scriptedKey():   {State: Up, Since: since},
			down.scriptedKey(): {State: Down, Since: since, Last: Observation{Reason: "was bad"}},
		})
		set(p, up, down)
		if s, _ := p.Status(down.scriptedKey()); s.State != Down || !s.Since.Equal(since) || s.Last.Reason != "was bad" {
			t.Errorf("seeded status %+v", s)
		}
		l.set("up", bad)
		start := time.Now()
		wantResult(t, p, down.scriptedKey(), Down, Up)
		wantResult(t, p, up.scriptedKey(), Up, Down)
		if took := time.Since(start); took < 2*time.Second {
			t.Errorf("a seeded monitor was down after %v, want three probes", took)
		}
		set(p)
		set(p, up) // the seed is used up
		wantResult(t, p, up.scriptedKey(), Unknown, Down)
	})
}
