package checks

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lab is what scripted probes do and when they were run.
type lab struct {
	mu     sync.Mutex
	start  time.Time
	script map[string]func(nth int) Observation
	took   map[string]time.Duration
	starts map[string][]time.Duration
}

func newLab() *lab {
	return &lab{start: time.Now(), script: map[string]func(int) Observation{}, took: map[string]time.Duration{}, starts: map[string][]time.Duration{}}
}

// scripted is a probe that a lab answers.
type scripted struct {
	name string
	lab  *lab
}

func (p scripted) Kind() string { return "scripted" }
func (p scripted) Key() string  { return p.name }
func (p scripted) Run(ctx context.Context) Observation {
	l := p.lab
	l.mu.Lock()
	l.starts[p.name] = append(l.starts[p.name], time.Since(l.start))
	f, took, nth := l.script[p.name], l.took[p.name], len(l.starts[p.name])
	l.mu.Unlock()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return Observation{Reason: "no answer"}
		}
	}
	if f == nil {
		return Observation{OK: true}
	}
	return f(nth)
}

func (l *lab) set(name string, f func(nth int) Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.script[name] = f
}

func (l *lab) times(name string) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration(nil), l.starts[name]...)
}

func good(int) Observation { return Observation{OK: true} }
func bad(int) Observation  { return Observation{Reason: "bad"} }

// inPool runs f in a bubble with a running pool, and ends the pool after it.
func inPool(t *testing.T, f func(p *Pool, l *lab), options ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, l := NewPool(options...), newLab()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		f(p, l)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func (l *lab) monitor(name string) Monitor {
	return Monitor{Probe: scripted{name, l}, Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 2, Fall: 3}
}

// key of a scripted probe: its lab is not part of it.
func (m Monitor) scriptedKey() Key {
	return Key(fmt.Sprint(m.Probe.Key(), m.Interval, m.FastInterval, m.DownInterval, m.Timeout, m.Rise, m.Fall))
}

func set(p *Pool, monitors ...Monitor) {
	all := make(map[Key]Monitor)
	for _, m := range monitors {
		all[m.scriptedKey()] = m
	}
	p.Set(all)
}

func wantResult(t *testing.T, p *Pool, key Key, from, to State) Result {
	t.Helper()
	select {
	case r := <-p.Results():
		if r.Key != key || r.From != from || r.To != to {
			t.Errorf("result %s %v to %v, want %s %v to %v", r.Key, r.From, r.To, key, from, to)
		}
		return r
	case <-time.After(time.Minute):
		t.Fatalf("no result in a minute, want %s %v to %v", key, from, to)
		return Result{}
	}
}

func wantNoResult(t *testing.T, p *Pool, d time.Duration) {
	t.Helper()
	select {
	case r := <-p.Results():
		t.Errorf("unexpected result %+v", r)
	case <-time.After(d):
	}
}

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

// TestPoolSchedule wants starts exactly one interval apart, whatever the
// probes themselves take.
func TestPoolSchedule(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		l.took["a"] = 300 * time.Millisecond
		l.took["over"] = time.Hour
		over := l.monitor("over")
		over.Timeout = over.Interval
		set(p, l.monitor("a"), over)
		time.Sleep(time.Hour)
		for _, name := range []string{"a", "over"} {
			times := l.times(name)
			if n := len(times); n < 3600 || n > 3601 {
				t.Errorf("%s: %d probes in an hour, want 3600", name, n)
			}
			for i := 1; i < len(times); i++ {
				if gap := times[i] - times[0] - time.Duration(i)*time.Second; gap.Abs() > tick {
					t.Fatalf("%s: probe %d starts %v off its time", name, i, gap)
				}
			}
		}
		if s := p.Stats(); s.Skipped+s.Repeated+s.Failed > 0 || s.Lag > tick {
			t.Errorf("stats %+v", s)
		}
		<-p.Results()
		<-p.Results()
	})
}

func TestPoolIntervalsByState(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		m := l.monitor("a")
		m.Interval, m.FastInterval, m.DownInterval = 10*time.Second, time.Second, 5*time.Second
		set(p, m)
		l.set("a", func(nth int) Observation { return Observation{OK: nth <= 3 || nth > 8} })
		wantResult(t, p, m.scriptedKey(), Unknown, Up)
		wantResult(t, p, m.scriptedKey(), Up, Down)
		wantResult(t, p, m.scriptedKey(), Down, Up)
		time.Sleep(11 * time.Second)
		times := l.times("a")
		if times[0] > time.Second {
			t.Errorf("the first probe started after %v, want within the fast interval", times[0])
		}
		// Probes 4 to 6 fail, 7 and 8 too while down, 9 and 10 are good.
		want := []time.Duration{0, 10, 10, 1, 1, 0, 5, 5, 1, 0}
		for i, w := range want {
			gap := times[i+1] - times[i]
			if w > 0 && (gap-w*time.Second).Abs() > tick {
				t.Errorf("probe %d comes %v after the one before, want %d s", i+2, gap, w)
			}
			// A change to a longer interval goes to the place on its grid.
			if w == 0 && gap > 11*time.Second {
				t.Errorf("probe %d comes %v after the one before", i+2, gap)
			}
		}
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

// TestPoolBounds wants all monitors to be served with fewer in flight at a
// time than would like to be.
func TestPoolBounds(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		var all []Monitor
		for i := range 20 {
			m := l.monitor(fmt.Sprint(i))
			l.took[fmt.Sprint(i)] = 100 * time.Millisecond
			all = append(all, m)
		}
		set(p, all...)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if n := p.Stats().InFlight; n > 3 {
				t.Fatalf("%d in flight, want at most 3", n)
			}
		}
		for i := range 20 {
			if n := len(l.times(fmt.Sprint(i))); n < 8 {
				t.Errorf("monitor %d was probed %d times in 10 s", i, n)
			}
		}
		for range 20 {
			<-p.Results()
		}
	}, MaxInFlight(3))
}

// TestPoolSpread wants no 10 ms to hold three times their share, in calm, after
// a change of the set, and after all have failed at once and come back.
func TestPoolSpread(t *testing.T) {
	const n = 2000
	tests := []struct {
		name  string
		after func(p *Pool, l *lab, all []Monitor)
		every time.Duration // interval in the end
	}{
		{"calm", func(*Pool, *lab, []Monitor) {}, time.Second},
		{"half removed and added again", func(p *Pool, _ *lab, all []Monitor) {
			set(p, all[:n/2]...)
			time.Sleep(1300 * time.Millisecond)
			set(p, all...)
		}, time.Second},
		{"all fail", func(_ *Pool, l *lab, all []Monitor) {
			for _, m := range all {
				l.set(m.Probe.Key(), bad)
			}
		}, 5 * time.Second},
		{"all fail and come back", func(_ *Pool, l *lab, all []Monitor) {
			for _, m := range all {
				l.set(m.Probe.Key(), bad)
			}
			time.Sleep(20 * time.Second)
			for _, m := range all {
				l.set(m.Probe.Key(), good)
			}
			time.Sleep(10 * time.Second)
		}, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inPool(t, func(p *Pool, l *lab) {
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					for {
						select {
						case <-p.Results():
						case <-stop:
							return
						}
					}
				}()
				var all []Monitor
				for i := range n {
					m := l.monitor(fmt.Sprint(i))
					m.FastInterval, m.DownInterval = 500*time.Millisecond, 5*time.Second
					all = append(all, m)
				}
				set(p, all...)
				time.Sleep(5 * time.Second)
				tt.after(p, l, all)
				from := time.Since(l.start)
				time.Sleep(20 * time.Second)

				slots := make(map[time.Duration]int)
				total := 0
				for _, m := range all {
					for _, at := range l.times(m.Probe.Key()) {
						if at > from+7*time.Second {
							slots[at/(10*time.Millisecond)]++
							total++
						}
					}
				}
				want := n * 13 / tt.every.Seconds()
				if math.Abs(float64(total)-want) > want/10 {
					t.Errorf("%d probes in 13 s, want about %.0f", total, want)
				}
				mean := float64(total) / 1300
				for slot, k := range slots {
					if float64(k) >= 3*mean {
						t.Errorf("%d probes in the 10 ms at %v, mean is %.1f", k, slot*10*time.Millisecond, mean)
					}
				}
			})
		})
	}
}
