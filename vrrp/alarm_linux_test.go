package vrrp

import (
	"testing"
	"time"
)

func TestTimerfd(t *testing.T) {
	a, err := newTimerfd()
	if err != nil {
		t.Fatal(err)
	}
	<-a.ring() // it has begun
	for _, wait := range []time.Duration{-time.Second, 0, 1, time.Millisecond} {
		a.set(time.Hour)
		a.set(wait) // instead
		<-a.ring()
	}
	a.set(0)
	<-a.ring()
	select {
	case <-a.ring():
		t.Error("it has rung twice")
	default:
	}
	a.set(0)
	a.close() // waits for its goroutine, also when nobody hears the ring
	a.set(0)  // is of no use, and does no harm
}

func BenchmarkTimerfd(b *testing.B) {
	a, err := newTimerfd()
	if err != nil {
		b.Fatal(err)
	}
	defer a.close()
	for b.Loop() {
		a.set(0)
		<-a.ring()
	}
}
