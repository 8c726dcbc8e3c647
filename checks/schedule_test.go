package checks

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

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

// TestPoolShortIntervals wants the shortest of intervals kept as exactly as long ones,
// whatever wakes the scheduler in between.
func TestPoolShortIntervals(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		const interval = 10 * time.Millisecond
		var fast []Monitor
		for i := range 7 {
			m := l.monitor(fmt.Sprint(i))
			l.took[fmt.Sprint(i)] = time.Duration(i) * time.Millisecond
			m.Interval, m.FastInterval, m.DownInterval, m.Timeout = interval, interval, interval, interval
			fast = append(fast, m)
		}
		set(p, fast...)
		time.Sleep(time.Second)
		for i := range fast {
			times := l.times(fmt.Sprint(i))
			if len(times) < 99 {
				t.Fatalf("monitor %d: %d probes in a second, want 100", i, len(times))
			}
			for n := range times {
				if off := times[n] - times[0] - time.Duration(n)*interval; off.Abs() > interval/tickShare {
					t.Fatalf("monitor %d: probe %d starts %v off its time", i, n, off)
				}
			}
		}
		for range fast {
			<-p.Results()
		}
	})
}

// TestPoolFirstProbe wants the first monitor's first probe in time also when the
// pool has run without any before, for no time or for long.
func TestPoolFirstProbe(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Minute} {
		inPool(t, func(p *Pool, l *lab) {
			time.Sleep(idle)
			synctest.Wait()
			m := l.monitor("a")
			m.Interval, m.FastInterval = 20*time.Second, 20*time.Second
			start := time.Since(l.start)
			set(p, m)
			wantResult(t, p, m.scriptedKey(), Unknown, Up)
			if due := onGrid(p.epoch, l.start.Add(start), m.Interval, fraction(0)).Sub(l.start); l.times("a")[0]-due > tick {
				t.Errorf("idle for %v: the first probe starts at %v, want %v", idle, l.times("a")[0], due)
			}
		})
	}
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

// TestPoolStandsStill wants no burst after 10 s in which the process did not run,
// and the probes to be spread as they were.
func TestPoolStandsStill(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		const n = 500
		var all []Monitor
		for i := range n {
			all = append(all, l.monitor(fmt.Sprint(i)))
		}
		set(p, all...)
		for range n {
			<-p.Results()
		}
		before := p.Stats()
		p.mu.Lock()
		p.behind -= 10 * time.Second // as if the process had been stopped
		p.mu.Unlock()
		from := time.Since(l.start)
		time.Sleep(5 * time.Second)
		slots := make(map[time.Duration]int)
		for _, m := range all {
			last := time.Duration(0)
			for _, at := range l.times(m.Probe.Key()) {
				if at <= from {
					continue // in this very instant one may have started before
				}
				slots[at/(10*time.Millisecond)]++
				if gap := at - last; last > 0 && (gap-time.Second).Abs() > patience {
					t.Errorf("%v from one probe to the next", gap)
				}
				last = at
			}
		}
		for slot, k := range slots {
			if k >= 3*n/100 {
				t.Errorf("%d probes in the 10 ms at %v, mean is %d", k, slot*10*time.Millisecond, n/100)
			}
		}
		if s := p.Stats(); s.Skipped-before.Skipped < 9*n || s.Skipped-before.Skipped > 10*n || s.Lag < 9*time.Second {
			t.Errorf("stats %+v, want about %d left out", s, 10*n)
		}
	})
}

// TestPoolOverload wants all monitors to be served alike, and in turn, when
// only half of the probes can be made.
func TestPoolOverload(t *testing.T) {
	inPool(t, func(p *Pool, l *lab) {
		const n = 60 // wanted each second, and 30 are possible
		var all []Monitor
		for i := range n {
			m := l.monitor(fmt.Sprint(i))
			l.took[fmt.Sprint(i)] = 100 * time.Millisecond
			all = append(all, m)
		}
		set(p, all...)
		for range n {
			<-p.Results()
		}
		time.Sleep(10 * time.Second)
		from, before := time.Since(l.start), p.Stats()
		time.Sleep(60 * time.Second)
		for _, m := range all {
			times := l.times(m.Probe.Key())
			for i := 1; i < len(times); i++ {
				if gap := times[i] - times[i-1]; times[i-1] > from && ((gap - 2*time.Second).Abs() > 2*patience) {
					t.Errorf("monitor %s is probed %v after the time before, want about 2 s", m.Probe.Key(), gap)
				}
			}
		}
		s := p.Stats()
		if wanted := s.Started + s.Skipped - before.Started - before.Skipped; wanted < 55*n || wanted > 65*n {
			t.Errorf("%d were started or left out in 60 s, want %d", wanted, 60*n)
		}
	}, MaxInFlight(3))
}
