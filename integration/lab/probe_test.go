package lab

import (
	"testing"
	"time"
)

func TestLongestOutage(t *testing.T) {
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	// Each letter is a question, 10 ms apart: a answered, l answered too late, - not at all.
	tests := []struct {
		name, questions string
		since           int
		want            time.Duration
	}{
		{"none", "aaaaaaaa", 0, 0},
		{"from the first lost to the next answered", "aa---aaa", 0, 30 * time.Millisecond},
		{"the longest counts", "a--a----a-a", 0, 40 * time.Millisecond},
		{"late is lost", "alla", 0, 20 * time.Millisecond},
		{"before the event does not count", "--aa-a", 20, 10 * time.Millisecond},
		{"without end", "aa--------", 0, 70 * time.Millisecond},
		{"the last are not known yet", "aa--", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var samples []sample
			for i, letter := range tt.questions {
				s := sample{sent: at(10 * i)}
				switch letter {
				case 'a':
					s.answered = s.sent.Add(time.Millisecond)
				case 'l':
					s.answered = s.sent.Add(patience + 1)
				}
				samples = append(samples, s)
			}
			if got := longestOutage(samples, at(tt.since)); got != tt.want {
				t.Errorf("outage %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPaused(t *testing.T) {
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	p := &Probe{every: 10 * time.Millisecond}
	for _, ms := range []int{0, 10, 50, 60, 75, 85} {
		p.samples = append(p.samples, sample{sent: at(ms)})
	}
	for _, tt := range []struct {
		since int
		want  time.Duration
	}{{0, 30 * time.Millisecond}, {49, 30 * time.Millisecond}, {50, 5 * time.Millisecond}, {80, 0}, {90, 0}} {
		if got := p.Paused(at(tt.since)); got != tt.want {
			t.Errorf("paused since %d ms: %v, want %v", tt.since, got, tt.want)
		}
	}
}
