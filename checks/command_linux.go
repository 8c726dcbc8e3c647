package checks

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

// RunCommand runs c until ctx is done at the latest and returns its exit
// status and the first 4 KiB of what it wrote to standard output and error. An
// exit status other than 0 is no error. The error is ErrKilled when its time
// was over, and says why it could not be started, or which signal ended it;
// then the status is -1.
//
// The command is a session of its own with nothing but a PATH and c.Env in its
// environment. When it has ended, in whichever way, all processes of its
// process group are killed. Processes that have left the group are recognised
// by a mark in their environment and killed too, when they hold the output
// open or when time was over; those of other users only with CAP_SYS_PTRACE.
func RunCommand(ctx context.Context, c Command) (exit int, output []byte, err error) {
	if err := ctx.Err(); err != nil {
		return -1, nil, err
	}
	cmd, mark, read, err := c.start()
	if err != nil {
		return -1, nil, notStarted{fmt.Errorf("run %s: %w", c.name(), err)}
	}
	defer read.Close()
	limitResources(ctx, cmd.Process.Pid)

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
	go func() { ended <- waitGroup(cmd) }()

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
			return -1, nil, fmt.Errorf("%w, and it does not die", ErrKilled)
		}
	}
	if killed {
		killMarked(mark)
	}
	// All writers are gone now, except those that left the group.
	read.SetReadDeadline(time.Now().Add(pipeDelay))
	all := <-collected
	if all.held {
		killMarked(mark)
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
	if err := cmd.Start(); err != nil {
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

// credential returns what makes a child of ours run as the named user; nil if
// it does so anyway.
func credential(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if int(uid) == os.Geteuid() {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("as user %s: only root may", name)
	}
	result := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	names, err := account.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range names {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			result.Groups = append(result.Groups, uint32(n))
		}
	}
	return result, nil
}

// limitResources bounds what a runaway script can take. It comes a moment
// after the start, which Go gives no way to avoid; children inherit it.
func limitResources(ctx context.Context, pid int) {
	set := func(resource int, n uint64) {
		// A script that has ended already needs no limits.
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil)
	}
	set(unix.RLIMIT_CORE, 0)
	if deadline, ok := ctx.Deadline(); ok {
		// Also ends what has escaped and spins.
		set(unix.RLIMIT_CPU, uint64(time.Until(deadline).Seconds())+2)
	}
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

// killMarked kills all processes that have mark in their environment, until
// there is none: they may fork, and become another program, while we look.
func killMarked(mark string) {
	const passes = 8
	for range passes {
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
		if !found {
			return
		}
	}
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
