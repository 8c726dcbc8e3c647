package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a worker as the engine holds it, whether it is the engine's child
// or was found running. A pidfd stands for the process itself: its number may
// be given to another when it has ended (Linux 5.3).
type process struct {
	pid   int
	pidfd *os.File
	child bool // we are to reap it
}

func openProcess(pid int, child bool) (*process, error) {
	if pid <= 0 {
		return nil, fmt.Errorf("open process: it lives in another PID namespace")
	}
	// O_NONBLOCK is PIDFD_NONBLOCK (5.10) and lets Go's poller wait for it.
	fd, err := unix.PidfdOpen(pid, unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &process{pid: pid, pidfd: os.NewFile(uintptr(fd), "pidfd"), child: child}, nil
}

// ended waits for d at most and reports whether the process has ended. A child
// is reaped then.
func (p *process) ended(ctx context.Context, d time.Duration) bool {
	if err := p.pidfd.SetReadDeadline(time.Now().Add(d)); err != nil {
		return true
	}
	defer context.AfterFunc(ctx, func() { p.pidfd.SetReadDeadline(time.Unix(1, 0)) })()
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Read(func(fd uintptr) bool {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(set, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	return err == nil
}

// fate reaps a child that has ended and says how it ended.
func (p *process) fate() string {
	if !p.child {
		return "ended"
	}
	var ws syscall.WaitStatus
	pid, err := syscall.Wait4(p.pid, &ws, syscall.WNOHANG, nil)
	switch {
	case err != nil || pid != p.pid:
		return "ended"
	case ws.Signaled():
		return "killed by signal " + ws.Signal().String()
	default:
		return fmt.Sprintf("exit status %d", ws.ExitStatus())
	}
}

func (p *process) signal(s syscall.Signal) error {
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.pid, err)
	}
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		serr = err
	}
	if serr != nil && !errors.Is(serr, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.pid, serr)
	}
	return nil
}

func (p *process) close() { p.pidfd.Close() }

// connReset reports whether the other side ended without reading all.
func connReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}
