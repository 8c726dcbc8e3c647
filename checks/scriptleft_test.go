package checks

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCommandThatDoesNotDie has a command that its killing does not end: no other
// run of it is started until it has died, while other commands run.
func TestCommandThatDoesNotDie(t *testing.T) {
	t.Parallel()
	dies := make(chan struct{})
	s := newCommands(func(cmd *exec.Cmd) error {
		if strings.Contains(cmd.Args[2], "sleep") {
			<-dies
		}
		return waitGroup(cmd)
	})
	run := func(c Command) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := s.run(ctx, c)
		return err
	}
	stuck := shell("sleep 1000")
	if err := run(stuck); !errors.Is(err, ErrKilled) || !strings.Contains(err.Error(), "does not die") {
		t.Errorf("first run: %v, want that it was killed and does not die", err)
	}
	for range 3 {
		if err := run(stuck); !errors.Is(err, errLastRun) || notRun(err) {
			t.Errorf("second run: %v, want that the last one does not die", err)
		}
	}
	for _, other := range []Command{shell("exit 0"), {Argv: stuck.Argv, Env: []string{"A=1"}, User: "no-such-user"}} {
		if err := s.mayStart(other); err != nil {
			t.Errorf("%v: %v", other, err)
		}
	}
	close(dies)
	s.rest.Wait()
	if err := run(stuck); !errors.Is(err, ErrKilled) || strings.Contains(err.Error(), "does not die") {
		t.Errorf("run after its death: %v, want that it was killed", err)
	}
}

// TestCommandsThatDoNotDie has too many of them: then nothing is started, which
// says nothing of what it would have found out.
func TestCommandsThatDoNotDie(t *testing.T) {
	t.Parallel()
	s := newCommands(waitGroup)
	for range maxLeft {
		if err := s.mayStart(shell("exit 0")); err != nil {
			t.Fatal(err)
		}
		s.left[new(exec.Cmd)] = "another"
	}
	_, _, err := s.run(t.Context(), shell("exit 0"))
	if !notRun(err) || !strings.Contains(err.Error(), "128 killed commands do not die") {
		t.Errorf("error is %v, want that it was not run", err)
	}
}

// TestScriptWhoseLastRunDoesNotDie: it had no exit in its time, and has none now.
func TestScriptWhoseLastRunDoesNotDie(t *testing.T) {
	p := Script{Command: shell("exit 0 # the one that does not die")}
	cmd, ended := &exec.Cmd{SysProcAttr: new(syscall.SysProcAttr)}, make(chan error)
	started.leave(p.Command, cmd, "no mark", ended)
	seen := p.Run(t.Context())
	if seen.OK || seen.Ours || seen.Status != "killed" || seen.Reason != "the last run does not die" {
		t.Errorf("saw %+v, want a failure of the server's", seen)
	}
	ended <- nil
	started.rest.Wait()
	if seen := p.Run(t.Context()); !seen.OK {
		t.Errorf("saw %+v after its death", seen)
	}
}
