package checks

import (
	"strings"
	"testing"
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
				s = s.observe(c == '+', tt.rise, tt.fall)
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
		s = s.observe(false, 1, 3)
		if s.run != want {
			t.Errorf("after %d failures the streak counts %d, want %d", i+1, s.run, want)
		}
	}
}
