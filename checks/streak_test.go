package checks

import (
	"strings"
	"testing"
	"time"
)

func TestStreak(t *testing.T) {
	tests := []struct {
		name       string
		start      State
		rise, fall int
		seen       string // + is a success, - a failure
		want       string // state after each: u, U(p), D(own)
	}{
		{"one success ends not knowing", Unknown, 3, 3, "+", "U"},
		{"not knowing needs the whole of fall", Unknown, 3, 3, "---", "uuD"},
		{"a success among first failures", Unknown, 3, 3, "--+", "uuU"},
		{"fall", Up, 2, 3, "---", "UUD"},
		{"rise", Down, 3, 2, "+++", "DDU"},
		{"a success breaks the streak", Up, 2, 3, "--+--+--", "UUUUUUUU"},
		{"a failure breaks the streak", Down, 2, 1, "+-+-++", "DDDDDU"},
		{"thresholds of one", Up, 1, 1, "-+-+", "DUDU"},
		{"there and back", Up, 2, 2, "--++--", "UDDUUD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := streak{state: tt.start}
			var got strings.Builder
			for _, c := range tt.seen {
				s = s.observe(c == '+', rule{rise: tt.rise, fall: tt.fall})
				got.WriteByte("uUD"[s.state])
			}
			if got.String() != tt.want {
				t.Errorf("%s: got %s, want %s", tt.seen, got.String(), tt.want)
			}
		})
	}
}

func TestStreakCount(t *testing.T) {
	s := streak{state: Up}
	for i, want := range []int{1, 2, 0} {
		s = s.observe(false, rule{rise: 1, fall: 3})
		if s.run != want {
			t.Errorf("after %d failures the streak counts %d, want %d", i+1, s.run, want)
		}
	}
}

func TestWindow(t *testing.T) {
	tests := []struct {
		name               string
		start              State
		rise, fall, window int
		seen, want         string
	}{
		{"three failures of five", Up, 2, 3, 5, "-+-+-", "UUUUD"},
		{"the oldest drops out", Up, 2, 3, 4, "-+-+-+-+", "UUUUUUUU"},
		{"a verdict begins anew", Up, 2, 2, 4, "--+-+", "UDDDU"},
		{"one success ends not knowing", Unknown, 3, 3, 5, "-+", "uU"},
		{"first failures", Unknown, 3, 2, 5, "--", "uD"},
		{"the largest window", Up, 1, 2, 64, "-" + strings.Repeat("+", 62) + "-", strings.Repeat("U", 63) + "D"},
		{"just out of the largest", Up, 1, 2, 64, "-" + strings.Repeat("+", 63) + "-", strings.Repeat("U", 65)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := streak{state: tt.start}
			var got strings.Builder
			for _, c := range tt.seen {
				s = s.observe(c == '+', rule{tt.rise, tt.fall, tt.window})
				got.WriteByte("uUD"[s.state])
			}
			if got.String() != tt.want {
				t.Errorf("%s: got %s, want %s", tt.seen, got.String(), tt.want)
			}
		})
	}
}

func TestDamping(t *testing.T) {
	d := Damping{Falls: 3, Within: time.Minute, Hold: 5 * time.Minute}
	start := time.Now()
	tests := []struct {
		name string
		at   []int // seconds of the falls
		held int   // until when; -1 is not at all
	}{
		{"once", []int{0}, -1},
		{"three, far apart", []int{0, 30, 61}, -1},
		{"three in a minute", []int{0, 30, 59}, 359},
		{"the last three count", []int{0, 100, 110, 120}, 420},
		{"long ago", []int{0, 1, 2, 1000}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f falls
			for _, s := range tt.at {
				f = f.add(start.Add(time.Duration(s)*time.Second), d)
			}
			want := start.Add(time.Duration(tt.held) * time.Second)
			if tt.held < 0 {
				want = time.Time{}
			}
			if got := f.heldUntil(d); !got.Equal(want) {
				t.Errorf("held until %v after the start, want %d s", got.Sub(start), tt.held)
			}
		})
	}
	if f := (falls{}).add(start, Damping{}); f != nil || !f.heldUntil(Damping{}).IsZero() {
		t.Error("no damping damps")
	}
}
