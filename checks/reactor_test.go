package checks

import (
	"testing"
	"time"
)

// TestReactorSleep wants a sleep to end when its time has come and when somebody
// wakes it, also if that was just before; each would else last for an hour.
func TestReactorSleep(t *testing.T) {
	r, err := newReactor()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for range 3 {
		r.wait(time.Now().Add(-time.Second))
		r.wait(time.Now())
		until := time.Now().Add(time.Millisecond)
		if r.wait(until); time.Now().Before(until) {
			t.Error("the sleep has ended before its time")
		}

		r.wake()
		r.wait(time.Now().Add(time.Hour))

		go r.wake()
		r.wait(time.Now().Add(time.Hour))
	}
}
