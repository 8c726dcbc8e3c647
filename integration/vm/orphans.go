package vm

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// orphans buries the processes that have lost their parent: they become children
// of the guest's first process, and without it would stay as zombies.
type orphans struct {
	mu  sync.Mutex
	own int // the step's process, which has its own waiter
}

// start starts a program that has its own waiter.
func (o *orphans) start(cmd *exec.Cmd) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	o.own = cmd.Process.Pid
	return nil
}

// bury works whenever a child ends. It does not return.
func (o *orphans) bury() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		// Each thread has its children, and orphans go to any.
		lists, err := filepath.Glob("/proc/self/task/*/children")
		if err != nil {
			return
		}
		for _, path := range lists {
			data, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			for _, word := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(word); err == nil {
					o.reap(pid)
				}
			}
		}
	}
}

// reap buries a child unless it lives or is not ours to bury.
func (o *orphans) reap(pid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if pid != o.own {
		unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}
