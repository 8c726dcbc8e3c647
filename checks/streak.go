package checks

// streak is a verdict and the run of probes that speak against it.
type streak struct {
	state State
	run   int // consecutive observations that say otherwise than state
}

// observe returns the streak after one more observation.
//
// Before the first verdict one success is enough: nothing speaks against the
// server, and a new one waits for its first success. A failure needs the whole
// of fall even then: a server that worked before our restart must not be
// thrown out by one lost packet.
func (s streak) observe(ok bool, rise, fall int) streak {
	said, need := Down, fall
	if ok {
		said, need = Up, rise
		if s.state == Unknown {
			need = 1
		}
	}
	if said == s.state {
		return streak{state: s.state}
	}
	if s.run+1 >= need {
		return streak{state: said}
	}
	return streak{state: s.state, run: s.run + 1}
}
