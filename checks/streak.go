package checks

import (
	"math/bits"
	"time"
)

// streak is a verdict and what speaks against it.
type streak struct {
	state   State
	run     int    // observations that say otherwise than state, of those that count
	against uint64 // which of the last 64 did, the newest lowest; for a window
}

// rule says what makes a verdict; see Monitor.
type rule struct{ rise, fall, window int }

// observe returns the streak after one more observation.
//
// Before the first verdict one success is enough: nothing speaks against the
// server, and a new one waits for its first success. A failure needs the whole
// of fall even then: a server that worked before our restart must not be
// thrown out by one lost packet.
func (s streak) observe(ok bool, r rule) streak {
	said, need := Down, r.fall
	if ok {
		said, need = Up, r.rise
		if s.state == Unknown {
			need = 1
		}
	}
	switch {
	case said != s.state && r.window > 0:
		s.against = (s.against<<1 | 1) & window(r.window)
		s.run = bits.OnesCount64(s.against)
	case said != s.state:
		s.run++
	case r.window > 0:
		s.against = s.against << 1 & window(r.window)
		s.run = bits.OnesCount64(s.against)
	default:
		s.run = 0
	}
	if said != s.state && s.run >= need {
		return streak{state: said}
	}
	return s
}

// maxWindow is the largest window: what streak.against can hold.
const maxWindow = 64

// window returns a mask of the last n observations.
func window(n int) uint64 { return ^uint64(0) >> (maxWindow - min(n, maxWindow)) }

// falls are the times of the last verdicts of down, oldest first.
type falls []time.Time

// add returns f with one more, and without those that no longer matter.
func (f falls) add(now time.Time, d Damping) falls {
	if d.Falls <= 0 {
		return nil
	}
	f = append(f, now)
	return f[max(0, len(f)-d.Falls):]
}

// heldUntil returns until when d keeps a monitor down that fell at these times;
// the zero time if it does not.
func (f falls) heldUntil(d Damping) time.Time {
	if d.Falls <= 0 || len(f) < d.Falls {
		return time.Time{}
	}
	if first, last := f[len(f)-d.Falls], f[len(f)-1]; last.Sub(first) < d.Within {
		return last.Add(d.Hold)
	}
	return time.Time{}
}
