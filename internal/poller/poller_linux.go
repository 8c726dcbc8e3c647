// Package poller waits for many descriptors, a time and other goroutines at once.
//
// With Go's own poller each descriptor has a goroutine that waits for it, and each
// timer and channel wakes another thread to look whether there is more to do. At
// hundreds of events a second that costs more than what is done for them.
//
// Calls on descriptors that do not block are made without telling Go's scheduler,
// which needs to know only of calls that wait: being told wakes its watchdog thread
// (sysmon), which then looks around every 20 µs.
package poller

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poller is an epoll of its user's own (epoll(7)), which Go's poller watches for
// the one goroutine that has it. Only Wake may be called by others.
type Poller struct {
	handle func(fd int, events uint32) (enough bool)
	epoll  int
	file   *os.File // of epoll
	conn   syscall.RawConn
	timer  int // a timerfd, in epoll: Go's timers count in whole milliseconds
	events [256]unix.EpollEvent
	look   func(fd uintptr) bool // made once
	looked time.Time

	mu    sync.Mutex
	woken bool
}

// New makes a Poller that calls handle for each descriptor that is ready, with the
// events of epoll_ctl(2). What it returns tells whether the sleeper is to wake.
func New(handle func(fd int, events uint32) (enough bool)) (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	p := &Poller{handle: handle, epoll: epoll}
	// What is not non-blocking os.File does not hand to Go's poller.
	if err := unix.SetNonblock(epoll, true); err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("set epoll non-blocking: %w", err)
	}
	p.file = os.NewFile(uintptr(epoll), "epoll")
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		p.file.Close()
		return nil, fmt.Errorf("create timer: %w", err)
	}
	// Edge-triggered, it shows once each time that it rings, and need not be read.
	if err = p.Add(p.timer, unix.EPOLLIN|unix.EPOLLET); err == nil {
		p.conn, err = p.file.SyscallConn()
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("watch timer: %w", err)
	}
	p.look = func(uintptr) bool { return p.Look() }
	return p, nil
}

// Close ends the Poller. Descriptors that were added stay open. A Wake that comes
// later does nothing.
func (p *Poller) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	unix.Close(p.timer)
	p.timer = -1 // by now the number may be somebody else's
	p.file.Close()
}

// Add watches a descriptor, until it is closed.
func (p *Poller) Add(fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epoll), unix.EPOLL_CTL_ADD,
		uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0); errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

// Look handles what is ready, without waiting. It tells whether that was enough
// to wake a sleeper, or his time had come.
func (p *Poller) Look() (enough bool) {
	p.looked = time.Now()
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)),
			uintptr(len(p.events)), 0, 0, 0)
		if errno != 0 {
			return enough
		}
		for _, ev := range p.events[:n] {
			if int(ev.Fd) == p.timer || p.handle(int(ev.Fd), ev.Events) {
				enough = true
			}
		}
		if int(n) < len(p.events) {
			return enough
		}
	}
}

// Sleep handles what becomes ready until that is enough, until has come or Wake is
// called, or was since the last Sleep. It may end sooner.
func (p *Poller) Sleep(until time.Time) {
	if p.set(until) {
		_ = p.conn.Read(p.look) // it fails only when the Poller is closed
		p.mu.Lock()
		p.woken = false // by now
		p.mu.Unlock()
	}
}

// Looked is when the Poller began to look last: what was ready by then has been handled.
func (p *Poller) Looked() time.Time { return p.looked }

// set sets when the sleep ends, and reports whether there is to be one.
func (p *Poller) set(until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.woken {
		p.woken = false
		return false
	}
	p.ring(time.Until(until))
	return true
}

// Wake ends the present sleep, or the next if there is none.
func (p *Poller) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	p.ring(0)
}

// ring has the timer ring after a while, and not when it was to before.
func (p *Poller) ring(wait time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(wait, 1).Nanoseconds())} // 0 would be never
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}
