// Package checks probes real servers and says which are healthy.
//
// A Probe asks one target once, within a deadline that nothing outlives. A
// Monitor is a Probe with its schedule and its thresholds. A Pool runs any
// number of monitors, spread evenly over their intervals, each identical
// monitor once, and reports changes of state. State and schedule survive a
// change of the set of monitors.
//
// The package knows no services and no weights beyond what a probe has seen:
// what a failed check means is decided by the engine.
package checks

import (
	"context"
	"time"
)

// Observation is what one run of a probe saw.
type Observation struct {
	OK      bool
	Reason  string        // why not OK, in words an operator can act on; empty when OK
	Status  string        // what the server said, in short: "503", "exit status 2"; may be empty
	Latency time.Duration // from the start of the probe to its verdict
	Weight  *int          // weight that the server or script asked for, or the number that a file holds; nil is none
	Ours    bool          // failed for want of something on this machine: says nothing of the server
}

// Probe asks one target once. A Probe is a value: comparing two with
// reflect.DeepEqual says whether they are the same.
type Probe interface {
	// Kind is the word that names the probe in the configuration: tcp, http, icmp, script.
	Kind() string

	// Key names the probe with all its parameters: two probes have the same
	// key exactly when they are equal.
	Key() string

	// Run asks the target. It returns when ctx is done at the latest and
	// leaves nothing behind: no goroutine, descriptor or process, but for what the
	// kernel does not let go, one at a time. With a ctx of
	// WithTimeout its reasons tell the time limit.
	Run(ctx context.Context) Observation
}

// Monitor is a probe with its schedule.
type Monitor struct {
	Probe        Probe
	Interval     time.Duration // between starts of two probes while the state is settled
	FastInterval time.Duration // between the first change of a streak and its verdict; 0 is Interval
	DownInterval time.Duration // while down; 0 is Interval
	Timeout      time.Duration // total deadline of one probe
	Rise         int           // consecutive successes that bring it up
	Fall         int           // consecutive failures that take it down

	// Window, if not 0, makes Rise and Fall count not consecutive probes but
	// those among the last Window since the last verdict; at most 64. A server
	// that fails every second time never goes down by consecutive failures.
	Window  int
	Damping Damping

	// WeightStep, if not 0, is how much the weight that a probe asks for may
	// change from one probe to the next: a server whose figures jump is not
	// flooded, and not emptied, at once.
	WeightStep int
}

// Damping keeps a monitor down that goes down again and again. The zero
// Damping does not.
type Damping struct {
	Falls  int           // so many verdicts of down
	Within time.Duration // in so short a time
	Hold   time.Duration // keep it down for so long, whatever its probes see
}

// Key identifies a monitor: two monitors have the same key exactly when they
// are equal.
type Key string

// State is a monitor's verdict.
type State uint8

// The states. Unknown is before the first verdict.
const (
	Unknown State = iota
	Up
	Down
)

// String returns "unknown", "up" or "down".
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return "unknown"
}

// Result is a change of a monitor's state or of the weight it has seen.
// Seen.Weight is the weight that holds now, whichever probe has seen it.
type Result struct {
	Key      Key
	From, To State
	At       time.Time
	Seen     Observation // of the probe that decided
}

// Status is a monitor's present state, for an operator to read.
type Status struct {
	State  State
	Since  time.Time   // of State; zero while Unknown
	Streak int         // consecutive probes that say otherwise than State
	Last   Observation // of the last probe
	LastAt time.Time   // when it ended; zero before the first
	Weight *int        // that holds, whichever probe has asked for it; nil is none
	// HeldUntil is until when Damping keeps it down; zero if it does not.
	HeldUntil time.Time
}
