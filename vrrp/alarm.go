package vrrp

import "time"

// alarm tells the loop that a time has come. It may ring once more than it was set.
type alarm interface {
	// set has it ring after a while, and not when it was to before.
	set(wait time.Duration)
	ring() <-chan time.Time
	close()
}

// runtimeAlarm is an alarm by the Go runtime's timers, which are late by up to a
// millisecond or two.
type runtimeAlarm struct{ *time.Timer }

func newRuntimeAlarm() alarm { return runtimeAlarm{time.NewTimer(time.Hour)} }

func (a runtimeAlarm) set(wait time.Duration) { a.Reset(someWait(wait)) }
func (a runtimeAlarm) ring() <-chan time.Time { return a.C }
func (a runtimeAlarm) close()                 { a.Stop() }
