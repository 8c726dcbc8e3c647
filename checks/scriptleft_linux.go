package checks

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
)

// maxLeft bounds the processes that do not die: each keeps a thread of ours that
// waits for it.
const maxLeft = 128

// errLastRun is the error of a command that was killed when it last ran, and
// has not died yet.
var errLastRun = errors.New("the last run does not die")

// commands runs commands, and knows those that were killed and do not die.
type commands struct {
	wait func(*exec.Cmd) error // waitGroup, but for a test

	mu   sync.Mutex
	left map[*exec.Cmd]string // by the digest of their Command
	rest sync.WaitGroup       // until those have died
}

func newCommands(wait func(*exec.Cmd) error) *commands {
	return &commands{wait: wait, left: make(map[*exec.Cmd]string)}
}

// mayStart returns why c cannot be started now.
func (s *commands) mayStart(c Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.left) == 0 {
		return nil
	}
	own := digest("command", c)
	for _, of := range s.left {
		if of == own {
			return fmt.Errorf("run %s: %w", c.name(), errLastRun)
		}
	}
	if n := len(s.left); n >= maxLeft {
		return notStarted{fmt.Errorf("run %s: %d killed commands do not die", c.name(), n)}
	}
	return nil
}

// leave takes note that cmd, which runs c, does not die, until it has ended.
func (s *commands) leave(c Command, cmd *exec.Cmd, mark string, ended <-chan error) {
	s.mu.Lock()
	s.left[cmd] = digest("command", c)
	s.mu.Unlock()
	s.rest.Go(func() {
		<-ended
		killMarked(cmd, mark)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.left, cmd)
	})
}
