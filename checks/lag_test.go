package checks

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	now := time.Now()
	var c clock
	c.woke(now) // never armed: no stall
	c.armed = now.Add(time.Second)
	c.woke(now.Add(500 * time.Millisecond)) // early
	c.woke(now.Add(time.Second + wakeSlack))
	if c.stalled != 0 {
		t.Errorf("stalled %v without a stall", c.stalled)
	}
	c.woke(now.Add(4 * time.Second))
	c.woke(now.Add(4 * time.Second)) // the same stall, seen by another goroutine
	if c.stalled != 3*time.Second {
		t.Errorf("stalled %v, want 3s", c.stalled)
	}
}

func TestRecentMax(t *testing.T) {
	now := time.Now()
	var r recentMax
	steps := []struct {
		after, add, want time.Duration // seconds, milliseconds
	}{
		{0, 5, 5}, {1, 3, 5}, {9, 0, 5}, {11, 2, 5}, {19, 0, 5}, {21, 1, 2}, {31, 0, 1}, {100, 0, 0}, {101, 4, 4},
	}
	for _, s := range steps {
		at := now.Add(s.after * time.Second)
		r.add(at, s.add*time.Millisecond)
		if got := r.get(at); got != s.want*time.Millisecond {
			t.Errorf("after %d s the maximum is %v, want %d ms", s.after, got, s.want)
		}
	}
}

// stalling is a server that fails, always in a probe during which this process stood
// still for so long.
func stalling(p *Pool, d time.Duration) func(int) Observation {
	return func(int) Observation {
		p.mu.Lock()
		p.clock.stalled += d
		p.mu.Unlock()
		return Observation{Reason: "no answer"}
	}
}

// TestPoolOwnLateness wants failures that fall into a stall of this process to
// be asked again at once, and not to be counted. On a machine that always has too
// little time for this process they count in the end: else a dead server would
// stay up for as long as the machine is busy.
func TestPoolOwnLateness(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		m.Fall = 1
		set(p, m)
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		l.set("a", stalling(p, m.Timeout))
		time.Sleep(1500 * time.Millisecond)
		s, _ := p.Status(m.scriptedKey())
		stats := p.Stats()
		if s.State != Up || s.Streak != 0 || stats.Repeated < 2 {
			t.Errorf("status %+v, stats %+v: want it up and asked again", s, stats)
		}
		l.set("a", bad)
		wantResult(t, p, m.scriptedKey(), Up, Down)

		l.set("a", good)
		wantResult(t, p, m.scriptedKey(), Down, Up)
		before := p.Stats().Repeated
		l.set("a", stalling(p, m.Timeout*3/4))
		wantResult(t, p, m.scriptedKey(), Up, Down)
		if again := p.Stats().Repeated - before; again != 2 {
			t.Errorf("asked again %d times, want 2: a quarter of the timeout was heard each time", again)
		}
	})
}

// TestPoolLeavesNothing wants no descriptor to stay open, with conversations
// of all ages cut off. (Goroutines are counted by the tests in bubbles.)
func TestPoolLeavesNothing(t *testing.T) {
	full := fullPort(t)
	before := descriptors(t)
	good, stop := serveUntilStopped(t, waitForEnd)
	monitors := make(map[Key]Monitor)
	for i := range 50 {
		for _, target := range []netip.AddrPort{good, full} {
			m := Monitor{
				Probe:    TCP{Target: target, Route: Route{Source: netip.AddrFrom4([4]byte{127, 0, 1, byte(i)})}},
				Interval: 50 * time.Millisecond, Timeout: time.Minute,
			}
			monitors[m.Key()] = m
		}
	}
	p := NewPool()
	p.Set(monitors)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	for range 50 {
		<-p.Results()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	stop()
	if now := descriptors(t); now > before {
		t.Errorf("%d descriptors were open before, %d are now", before, now)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
