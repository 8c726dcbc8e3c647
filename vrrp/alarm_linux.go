package vrrp

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerfd is an alarm by a timer of the kernel, which Go's poller waits for as
// it does for packets. Go's own timers count in whole milliseconds, and at each of them
// the runtime's watchdog thread (sysmon) wakes too, which costs as much as an
// advertisement.
type timerfd struct {
	file  *os.File
	conn  syscall.RawConn
	spec  unix.ItimerSpec
	arm   func(fd uintptr) // made once
	rings chan time.Time
	done  chan struct{}
}

func newAlarm() alarm {
	a, err := newTimerfd()
	if err != nil {
		return newRuntimeAlarm() // for want of a descriptor, and none the worse but in time
	}
	return a
}

func newTimerfd() (*timerfd, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	a := &timerfd{
		file:  os.NewFile(uintptr(fd), "timer"),
		rings: make(chan time.Time, 1),
		done:  make(chan struct{}),
	}
	a.arm = func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &a.spec, nil) } // fails for no valid time
	if a.conn, err = a.file.SyscallConn(); err != nil {
		a.file.Close()
		return nil, fmt.Errorf("watch timer: %w", err)
	}
	go a.wait()
	return a, nil
}

// wait rings until the timer is closed, and once at the beginning: what comes before
// Read is not told. Else the poller tells each time that the timer has run out, whether
// or not it is read: so the loop need not wait for that, when it is to take over.
func (a *timerfd) wait() {
	defer close(a.done)
	_ = a.conn.Read(func(uintptr) bool { // ends when it is closed
		select {
		case a.rings <- time.Now():
		default: // it has not been heard yet
		}
		return false
	})
}

func (a *timerfd) set(wait time.Duration) {
	a.spec.Value = unix.NsecToTimespec(max(wait, 1).Nanoseconds()) // 0 would be never
	_ = a.conn.Control(a.arm)                                      // fails only when it is closed
}

func (a *timerfd) ring() <-chan time.Time { return a.rings }

func (a *timerfd) close() {
	a.file.Close()
	<-a.done
}
