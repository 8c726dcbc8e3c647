package vrrp

import (
	"time"

	"github.com/mdlayher/packet"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// newHost is this machine.
func newHost(log *zap.Logger) host {
	return host{network: sockets{askers: make(map[int]*packet.Conn)}, kernel: newRtnetlink(), tables: &fib{}, watch: &monitor{log: log}, sleep: nap}
}

// nap sleeps by the kernel's clock, and goes on when a signal has woken it.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	left := unix.NsecToTimespec(d.Nanoseconds())
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
