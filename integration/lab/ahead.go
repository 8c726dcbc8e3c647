package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Ahead has this process run before what it has started in boxes. It plays the
// clients and the servers, which in life have machines of their own, and should not
// wait for a processor because a director is busy. Programs do not inherit that,
// and threads that come later do not have it: call it again when it matters.
func Ahead() error {
	const priority = 20 // before a director's VRRP process (10)
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("run ahead: %w", err)
		}
		changed := false
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("run ahead: %w", err)
			}
			if has, err := unix.SchedGetAttr(tid, 0); err == nil && has.Policy != unix.SCHED_NORMAL {
				continue
			}
			changed = true
			if err := unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR,
				Priority: priority, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("run thread %d ahead: %w", tid, err)
			}
		}
		if !changed {
			return nil
		}
	}
}
