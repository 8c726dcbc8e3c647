package checks

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// TestTalkers lets two take from the line of what is due, and wants each probe
// to be made once, and help to be called for.
func TestTalkers(t *testing.T) {
	const n = 2000
	good, closed := serve(t, waitForEnd), closedPort(t)
	p := NewPool()
	monitors := make(map[Key]Monitor)
	want := make(map[Key]State)
	for i := range n {
		probe, state := TCP{Target: closed, Route: Route{Source: netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})}}, Down
		if i%20 == 0 {
			probe.Target, state = good, Up
		}
		m := Monitor{Probe: probe, Timeout: time.Minute, Rise: 1, Fall: 1}
		monitors[m.Key()], want[m.Key()] = m, state
	}
	p.Set(monitors)
	p.allowed.tokens = 2 * n
	p.allowed.rate = 1e9
	p.startDue(t.Context(), nil, time.Now().Add(time.Second))
	if len(p.calls) != n {
		t.Fatalf("%d are due, want %d", len(p.calls), n)
	}

	talkers := make([]*reactor, 3)
	for i := range talkers {
		var err error
		if talkers[i], err = newReactor(); err != nil {
			t.Fatal(err)
		}
		defer talkers[i].close()
	}
	talkers[0].helper = talkers[2]
	var both sync.WaitGroup
	for _, r := range talkers[:2] {
		both.Go(func() {
			p.talk(r)
			for len(r.calls) > 0 || len(r.ended) > 0 {
				p.ended(t.Context(), r.wait(time.Now().Add(time.Minute)))
			}
		})
	}
	both.Wait()
	for key, state := range want {
		if s, _ := p.Status(key); s.State != state {
			t.Errorf("status %+v, want %v", s, state)
		}
	}
	if s := p.Stats(); s.Started != n || s.InFlight != 0 {
		t.Errorf("stats %+v, want %d started and none in flight", s, n)
	}
	if !talkers[2].woken {
		t.Error("nobody called for help")
	}
}
