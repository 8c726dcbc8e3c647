//go:build linux

package poller

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, handle func(fd int, events uint32) bool) *Poller {
	t.Helper()
	p, err := New(handle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestSleep wants a sleep to end when its time has come and when somebody wakes
// the sleeper, also if that was just before; each would else last for an hour.
func TestSleep(t *testing.T) {
	p := open(t, nil)
	for range 3 {
		p.Sleep(time.Now().Add(-time.Second))
		p.Sleep(time.Now())
		until := time.Now().Add(time.Millisecond)
		if p.Sleep(until); time.Now().Before(until) {
			t.Error("the sleep has ended before its time")
		}
		p.Wake()
		p.Sleep(time.Now().Add(time.Hour))
		go p.Wake()
		p.Sleep(time.Now().Add(time.Hour))
		until = time.Now().Add(time.Millisecond)
		if p.Sleep(until); time.Now().Before(until) {
			t.Error("one wake has ended two sleeps")
		}
	}
}

// TestWakeAfterClose leaves the descriptor alone that has the timer's number by then.
func TestWakeAfterClose(t *testing.T) {
	p, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	number := p.timer
	p.Close()
	other, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if other != number {
		if err := unix.Dup3(other, number, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(number)
	}
	p.Wake()
	var spec unix.ItimerSpec
	if err := unix.TimerfdGettime(other, &spec); err != nil {
		t.Fatal(err)
	}
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(other), Events: unix.POLLIN}}, 10)
	if err != nil || ready > 0 || spec.Value != (unix.Timespec{}) {
		t.Errorf("another timer was set: %v, ready %d, %v", spec.Value, ready, err)
	}
}

// TestSleepIsSetAnew: an earlier time that was not waited for is forgotten.
func TestSleepIsSetAnew(t *testing.T) {
	p := open(t, nil)
	p.set(time.Now().Add(time.Hour))
	p.Sleep(time.Now())
	p.set(time.Now().Add(100 * time.Millisecond))
	until := time.Now().Add(200 * time.Millisecond)
	if p.Sleep(until); time.Now().Before(until) {
		t.Error("the sleep has ended at a time that was set before")
	}
}

// TestReady hands out what is ready, asleep or not, and sleeps on until it is enough.
func TestReady(t *testing.T) {
	var got []int
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	p := open(t, func(fd int, events uint32) bool {
		if fd != ends[0] || events != unix.EPOLLIN {
			t.Errorf("descriptor %d has events %#x, want %d and %#x", fd, events, ends[0], unix.EPOLLIN)
		}
		b := make([]byte, 8)
		n, err := unix.Read(fd, b)
		if err != nil {
			t.Error(err)
		}
		got = append(got, n)
		return n > 1
	})
	if err := p.Add(ends[0], unix.EPOLLIN|unix.EPOLLET); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(ends[0], unix.EPOLLIN); err == nil {
		t.Error("a descriptor is added twice without an error")
	}
	say := func(what string) {
		if _, err := unix.Write(ends[1], []byte(what)); err != nil {
			t.Error(err)
		}
	}
	if p.Look() {
		t.Error("nothing is enough")
	}
	say("a")
	if p.Look() {
		t.Error("one byte is enough")
	}
	say("bb")
	before := time.Now()
	if !p.Look() || p.Looked().Before(before) {
		t.Errorf("two bytes are not enough, or looked %v too early", before.Sub(p.Looked()))
	}
	go say("ccc")
	p.Sleep(time.Now().Add(time.Hour))
	if want := []int{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("handled messages of %v bytes, want %v", got, want)
	}
}

func BenchmarkSleep(b *testing.B) {
	p, err := New(nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for b.Loop() {
		p.Sleep(time.Time{})
	}
}
