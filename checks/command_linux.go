package checks

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
)

const (
	maxOutput = 4 << 10

	// commandPath is the PATH of a command.
	commandPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

	// pipeDelay is how long output may be open after the end of all processes
	// that we know of.
	pipeDelay = 100 * time.Millisecond

	// killDelay is how long a killed process may take to end. One in an
	// uninterruptible sleep takes longer, and must not keep us.
	killDelay = time.Second
)

// ErrKilled is the error of a command that did not end in its time.
var ErrKilled = errors.New("killed: its time was over")

// started are the commands of this process.
var started = newCommands(waitGroup)

// RunCommand runs c until ctx is done at the latest and returns its exit
// status and the first 4 KiB of what it wrote to standard output and error. An
// exit status other than 0 is no error. The error is ErrKilled when its time
// was over, and says why it could not be started, or which signal ended it;
// then the status is -1.
//
// The command is a session of its own with nothing but a PATH and c.Env in its
// environment, and no capabilities unless it is root's. When it has ended, in
// whichever way, all processes of its process group are killed. Processes that
// have left the group are recognised by a mark in their environment and killed
// too, when they hold the output open or when time was over; those that have
// become another user's only by root.
//
// A process that cannot be killed, as it waits for a disk or for a server of
// files, is left when it should have died. It is not started again meanwhile,
// and nothing is when too many are left.
func RunCommand(ctx context.Context, c Command) (exit int, output []byte, err error) {
	return started.run(ctx, c)
}

func (s *commands) run(ctx context.Context, c Command) (exit int, output []byte, err error) {
	if err := ctx.Err(); err != nil {
		return -1, nil, err
	}
	if err := s.mayStart(c); err != nil {
		return -1, nil, err
	}
	cmd, mark, read, err := c.start()
	if err != nil {
		return -1, nil, notStarted{fmt.Errorf("run %s: %w", c.name(), err)}
	}
	defer read.Close()
	limitResources(ctx, cmd)

	type collection struct {
		output []byte
		held   bool // by somebody who may yet write
	}
	collected := make(chan collection, 1)
	go func() {
		kept, held := collect(read)
		collected <- collection{kept, held}
	}()
	ended := make(chan error, 1)
	go func() {
		exposeToOOM(cmd)
		ended <- s.wait(cmd)
	}()

	over := ctx.Done()
	killed := false
	var late <-chan time.Time
	for waiting := true; waiting; {
		select {
		case err = <-ended:
			waiting = false
		case <-over:
			over, killed = nil, true
			unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
			late = time.After(killDelay)
		case <-late:
			s.leave(c, cmd, mark, ended)
			return -1, nil, fmt.Errorf("%w, and it does not die", ErrKilled)
		}
	}
	if killed {
		killMarked(cmd, mark)
	}
	// All writers are gone now, except those that left the group.
	read.SetReadDeadline(time.Now().Add(pipeDelay))
	all := <-collected
	if all.held {
		killMarked(cmd, mark)
	}
	if killed {
		return -1, all.output, ErrKilled
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -1, all.output, fmt.Errorf("ended by signal %s", unix.SignalName(status.Signal()))
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), all.output, err
}

// notStarted is the error of a command that could not be started.
type notStarted struct{ error }

func (e notStarted) Unwrap() error { return e.error }

// start starts the command. What it writes can be read from output.
func (c Command) start() (cmd *exec.Cmd, mark string, output *os.File, err error) {
	cmd, mark, err = c.prepare()
	if err != nil {
		return nil, "", nil, err
	}
	output, write, err := os.Pipe()
	if err != nil {
		return nil, "", nil, err
	}
	defer write.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := privilege.Start(cmd.Start); err != nil {
		output.Close()
		if path, ok := errors.AsType[*os.PathError](err); ok {
			err = path.Err // its name is said already
		}
		return nil, "", nil, err
	}
	return cmd, mark, output, nil
}

func (c Command) name() string {
	if len(c.Argv) == 0 {
		return "nothing"
	}
	return c.Argv[0]
}

// prepare returns the command as os/exec wants it, and the line in its
// environment that marks it and all its descendants.
func (c Command) prepare() (*exec.Cmd, string, error) {
	if len(c.Argv) == 0 || !filepath.IsAbs(c.Argv[0]) {
		return nil, "", errors.New("no absolute path")
	}
	account, err := credential(c.User)
	if err != nil {
		return nil, "", err
	}
	mark := "DIRECTOR_RUN=" + rand.Text()
	env := append([]string{"PATH=" + commandPath}, c.Env...)
	return &exec.Cmd{
		Path:        c.Argv[0],
		Args:        c.Argv,
		Env:         append(env, mark),
		Dir:         "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Credential: account},
	}, mark, nil
}

// waitGroup waits until cmd has ended, kills what is left of its group and
// reaps it. In this order: as long as it is not reaped nobody else can get the
// group's number.
func waitGroup(cmd *exec.Cmd) error {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	return cmd.Wait()
}

// collect reads until the end or until a deadline ends it, and keeps the
// beginning. It tells whether it was the deadline.
func collect(from *os.File) (kept []byte, held bool) {
	buf := make([]byte, maxOutput)
	for {
		n, err := from.Read(buf)
		kept = append(kept, buf[:min(n, maxOutput-len(kept))]...)
		if err != nil {
			return kept, errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// killMarked kills all processes that have the mark of cmd in their environment,
// until there is none: they may fork, and become another program, while we look.
func killMarked(cmd *exec.Cmd, mark string) {
	const passes = 8
	asAccount(cmd, func() {
		for range passes {
			if !killMarkedOnce(mark) {
				return
			}
		}
	})
}

// killMarkedOnce kills those that it finds, and reports whether there may be more.
func killMarkedOnce(mark string) bool {
	found := false
	names, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range names {
		env, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if len(env) == 0 && isProgram(filepath.Dir(name)) {
			found = true // perhaps: in the midst of execve(2) it has none yet
			continue
		}
		if !hasLine(env, mark) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil {
			found = unix.Kill(pid, unix.SIGKILL) == nil || found
		}
	}
	return found
}

// isProgram reports whether the process whose directory in /proc this is runs a
// program: it is no thread of the kernel, and no zombie.
func isProgram(dir string) bool {
	_, err := os.Readlink(filepath.Join(dir, "exe"))
	return err == nil
}

// hasLine reports whether one of the zero-terminated lines of env is line.
func hasLine(env []byte, line string) bool {
	for l := range bytes.SplitSeq(env, []byte{0}) {
		if string(l) == line {
			return true
		}
	}
	return false
}
