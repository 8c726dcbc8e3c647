package vrrp

import (
	"cmp"
	"net/netip"
	"time"
)

// owner is the priority of the router that owns the addresses (RFC 9568, section 5.2.4).
const owner = 255

const (
	// downAdverts is how many advertisements may be missed before the master
	// counts as gone (RFC 9568, section 6.1).
	downAdverts = 3

	// headStart is the longest time a preempting router spends on putting its
	// addresses up before it silences the master it preempts.
	headStart = 100 * time.Millisecond

	// linger is how long a router that has heard its successor still answers
	// for the addresses. The successor advertises before its addresses and its
	// announcements are up (keepalived always, director when there was no
	// master), and until then somebody must answer.
	linger = 50 * time.Millisecond

	// handoverMargin and handoverMax bound the wait for a successor (see
	// params.handover).
	handoverMargin = 50 * time.Millisecond
	handoverMax    = 10 * time.Second

	// StopTimeout is how long a Router takes to stop at most: it waits for a
	// successor, and then until the addresses are off.
	StopTimeout = handoverMax + linger + stopPatience

	// orderedStay is how long a master that an operator has handed over to is
	// spared by a better router, if preempt_delay is not longer.
	orderedStay = 3 * time.Second

	// stallGrace is how long a router that has overslept listens before it
	// decides anything.
	stallGrace = 20 * time.Millisecond
)

// params are what the state machine needs to know of its configuration.
type params struct {
	version      uint8
	priority     uint8 // effective: with tracks applied
	interval     time.Duration
	preempt      bool
	preemptDelay time.Duration
	downAdverts  int        // 0 is downAdverts
	self         netip.Addr // breaks a tie of priorities
}

// skew is Skew_Time, by which a router of lower priority waits longer
// (RFC 9568, section 6.1; RFC 3768, section 6.1: of a second whatever the interval).
func (p params) skew(interval time.Duration) time.Duration {
	if p.version == 2 {
		interval = time.Second
	}
	return time.Duration(256-int(p.priority)) * interval / 256
}

// masterDown is Active_Down_Interval: how long a backup waits for an
// advertisement of a master that sends one every interval.
func (p params) masterDown(interval time.Duration) time.Duration {
	return time.Duration(cmp.Or(p.downAdverts, downAdverts))*interval + p.skew(interval)
}

// handover is how long a leaving master waits for a successor. No skew is
// longer than the interval (or a second, in version 2), and the news of the
// leave, priority zero, is told twice, in case the first was lost.
func (p params) handover() time.Duration {
	return min(2*max(p.interval, p.skew(p.interval))+handoverMargin, handoverMax)
}

// overslept is how late an advertisement must be for others to have taken over: a
// router of our own priority has, one of less waits longer, and one of more that
// has spared us is obeyed when it speaks. One interval late is no sleep.
func (p params) overslept() time.Duration {
	return max(p.masterDown(p.interval)-p.interval, p.interval)
}
