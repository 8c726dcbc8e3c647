package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Both are before a director's VRRP process (10).
const (
	aheadPriority = 20
	wirePriority  = 30
)

// Ahead has what other machines do in life run before what this process has started
// in boxes. The process plays the clients and the servers; ksoftirqd, where it takes
// packets from one box to the next, plays the wire: as an ordinary thread it would
// leave them lying for a quarter of a second while directors are busy. Programs do
// not inherit that, and threads that come later do not have it: call it again when
// it matters.
func Ahead() error {
	wires, err := kernelThreads("ksoftirqd/")
	if err != nil {
		return fmt.Errorf("run ahead: %w", err)
	}
	for _, pid := range wires {
		if err := realTime(pid, wirePriority); err != nil {
			return fmt.Errorf("run ksoftirqd ahead: %w", err)
		}
	}
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
			if err := realTime(tid, aheadPriority); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("run thread %d ahead: %w", tid, err)
			}
		}
		if !changed {
			return nil
		}
	}
}

// realTime schedules a thread, but not those that it starts later.
func realTime(tid int, priority uint32) error {
	return unix.SchedSetAttr(tid, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: priority, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
}

// kernelThreads returns those whose names begin so, and at least one.
func kernelThreads(prefix string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var list []int
	for _, file := range files {
		name, err := os.ReadFile(file) // fails for those that have ended
		if err != nil || !strings.HasPrefix(string(name), prefix) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		list = append(list, pid)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no thread's name begins with %q", prefix)
	}
	return list, nil
}
