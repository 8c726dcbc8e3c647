package checks

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTell: what the pool is told counts at once, each change as one, and it
// never asks by itself.
func TestTell(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := Monitor{Probe: BFD{Session: "core"}}
		key := m.Key()
		p.Set(map[Key]Monitor{key: m})
		wantNoResult(t, p, time.Minute)
		if s, _ := p.Status(key); s.State != Unknown || !s.LastAt.IsZero() {
			t.Errorf("before anything was told: %+v", s)
		}
		p.Tell(key, Observation{OK: true})
		wantResult(t, p, key, Unknown, Up)
		p.Tell(key, Observation{OK: true})
		wantNoResult(t, p, time.Minute)
		p.Tell(key, Observation{Reason: "gone"})
		if r := wantResult(t, p, key, Up, Down); r.Seen.Reason != "gone" {
			t.Errorf("result %+v", r)
		}
		if n := p.Stats().Started; n != 0 {
			t.Errorf("%d probes were started", n)
		}

		// Beside it others are probed, and come and go.
		other := l.monitor("a")
		p.Set(map[Key]Monitor{key: m, "other": other})
		wantResult(t, p, "other", Unknown, Up)
		if s, _ := p.Status(key); s.State != Down {
			t.Errorf("after another set: %+v", s)
		}
		p.Tell("other", Observation{Reason: "not to be told"})
		p.Set(map[Key]Monitor{"other": other})
		p.Tell(key, Observation{OK: true})
		synctest.Wait()
		wantNoResult(t, p, time.Minute)
	})
}
