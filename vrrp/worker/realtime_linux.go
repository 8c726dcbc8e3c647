package worker

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
)

const (
	// priority among real-time processes: low, since an advertisement may well
	// wait for the kernel's own threads (50), but not for ordinary programs.
	priority = 10
	// oomScore keeps the kernel from choosing this process when memory runs
	// out: to kill it frees next to nothing and moves the virtual addresses.
	oomScore = "-1000"
)

// setting is something that makes a process punctual and can be refused.
type setting struct {
	name    string
	without string // what it means if it is refused
	needs   string
	set     func() error
}

var settings = [...]setting{
	{"SCHED_RR", "advertisements may be late on a busy machine", "CAP_SYS_NICE", scheduleAll},
	{"locked memory", "advertisements may be late when memory is short", "CAP_IPC_LOCK, or no limit on locked memory", lockMemory},
	{"OOM score", "the kernel may kill VRRP when memory runs out", "CAP_SYS_RESOURCE", protectFromOOM},
}

// becomePunctual makes the process as punctual as it is allowed to be.
func becomePunctual(log *zap.Logger) {
	for _, s := range settings {
		switch err := s.set(); {
		case err == nil:
			log.Debug("real-time setting taken", zap.String("setting", s.name))
		case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
			log.Warn("real-time setting refused", zap.String("setting", s.name),
				zap.String("missing", s.needs), zap.String("reason", s.without), zap.Error(err))
		default:
			log.Warn("real-time setting failed", zap.String("setting", s.name),
				zap.String("reason", s.without), zap.Error(err))
		}
	}
}

// scheduleAll gives every thread SCHED_RR. A thread that is created later
// inherits it from the one that creates it; one that is created meanwhile by a
// thread that has not got it yet is found in the next round.
func scheduleAll() error {
	for range 10 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		changed := false
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("list threads: %w", err)
			}
			if has, err := unix.SchedGetAttr(tid, 0); err == nil && has.Policy == unix.SCHED_RR {
				continue
			}
			// Threads come and go: ESRCH is no failure.
			if err := unix.SchedSetAttr(tid, &unix.SchedAttr{
				Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: priority,
			}, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("schedule thread %d: %w", tid, err)
			}
			changed = true
		}
		if !changed {
			return nil
		}
	}
	return errors.New("new threads appear faster than they can be scheduled")
}

// lockMemory keeps what is in memory there, and what will be once it was
// touched: without MCL_ONFAULT all of the address space that the Go runtime
// has reserved would be filled.
//
// It must not succeed within a finite limit: later growth would then fail and
// with it the process.
func lockMemory() error {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil {
		var now unix.Rlimit
		if gerr := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &now); gerr != nil {
			return fmt.Errorf("read limit on locked memory: %w", gerr)
		}
		if !privilege.Has(privilege.IPCLock) && now.Cur != unix.RLIM_INFINITY {
			return fmt.Errorf("raise limit on locked memory of %d kB: %w", now.Cur>>10, err)
		}
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("lock memory: %w", err)
	}
	return nil
}

// protectFromOOM lowers the score that the kernel chooses its victim by.
// Without CAP_SYS_RESOURCE it is content with what it was started with, if that
// is as low as a service manager would make it.
func protectFromOOM() error {
	const file, low = "/proc/self/oom_score_adj", -900
	err := os.WriteFile(file, []byte(oomScore), 0)
	if err == nil {
		return nil
	}
	if b, rerr := os.ReadFile(file); rerr == nil {
		if score, aerr := strconv.Atoi(strings.TrimSpace(string(b))); aerr == nil && score <= low {
			return nil
		}
	}
	return err
}

// gcPercent keeps the heap small. Collections are no reason for lateness here:
// with 2 MB of garbage a second, 10 ms timers are as late (1.1 ms at the 99th
// percentile) with a collection now and then as with none, since the heap is
// small and the collector's threads have the same priority.
const gcPercent = 25

func limitHeap() { debug.SetGCPercent(gcPercent) }

// punctualEnv is the environment of a process that has its turn at once.
//
// Go's watchdog thread takes one that wakes from a long sleep for one that has run
// all the while, and interrupts it by a signal, just when it is to take over: that is
// half of a millisecond lost. Without the signal a goroutine gives way at its next call.
//
// Two of Go's processors are enough and needed. With one, the loop waits when the
// keeper is in the kernel until the watchdog looks, 20 ms when it looks rarely; with more, threads
// are woken in case that there is more to do, which there hardly ever is.
func punctualEnv(env []string) []string {
	const preempt = "asyncpreemptoff=1"
	debug := preempt
	kept := make([]string, 0, len(env)+2)
	for _, v := range env {
		switch name, value, _ := strings.Cut(v, "="); name {
		case "GOMAXPROCS":
		case "GODEBUG":
			debug = strings.TrimSuffix(value, ",") + "," + preempt // the last one counts
		default:
			kept = append(kept, v)
		}
	}
	return append(kept, "GOMAXPROCS=2", "GODEBUG="+debug)
}

// withoutHugePages does f, which starts a process, so that the process uses no
// transparent huge pages: it could not say so itself before the runtime has
// touched its heap, and locked memory in pieces of 2 MB is twice as much. The
// setting is inherited; ours is put back.
func withoutHugePages(f func() error) error {
	was, err := unix.PrctlRetInt(unix.PR_GET_THP_DISABLE, 0, 0, 0, 0)
	if err == nil && was == 0 && unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) == nil {
		defer unix.Prctl(unix.PR_SET_THP_DISABLE, 0, 0, 0, 0)
	}
	return f()
}
