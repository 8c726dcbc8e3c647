package vm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a step that is late may take to say what it was doing
// (SIGQUIT makes a Go program print its goroutines) before it is killed.
const grace = 3 * time.Second

// runner runs steps and reports their events to a writer.
type runner struct {
	report   io.Writer
	inside   string   // for InsideVariable
	out      string   // for OutVariable
	prefix   []string // put before each step's program
	terminal *terminal
	orphans  orphans

	mu sync.Mutex // of report: both streams and the end are written by different goroutines
}

// terminal is what a step with a terminal is connected to.
type terminal struct {
	input         io.Reader
	rows, columns uint16
}

func (r *runner) send(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return writeEvent(r.report, e)
}

// run runs one step to its end. The error is of the reporting, not of the step.
func (r *runner) run(index int, step Step) error {
	if err := r.send(Event{Step: index, Stream: Began}); err != nil {
		return err
	}
	started := time.Now()
	exit := r.execute(index, step)
	exit.Elapsed = time.Since(started)
	if os.Getpid() == 1 { // else most of what runs is not ours
		exit.Left = killLeft(grace)
	}
	return r.send(Event{Step: index, Stream: Ended, Exit: exit})
}

func (r *runner) execute(index int, step Step) Exit {
	args := append(append([]string{}, r.prefix...), step.Args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = step.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	// Ours come last and so win over what the step's environment has inherited.
	cmd.Env = append(append(os.Environ(), step.Env...), InsideVariable+"="+r.inside)
	if r.out != "" {
		cmd.Env = append(cmd.Env, OutVariable+"="+r.out)
	}
	// A session of its own, so that what it has started can be killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}

	var readers sync.WaitGroup
	copyTo := func(stream Stream, from io.Reader) {
		readers.Go(func() {
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if n > 0 && r.send(Event{Step: index, Stream: stream, Data: buf[:n]}) != nil {
					return
				}
				if err != nil {
					return
				}
			}
		})
	}
	var parent []io.Closer // our ends, closed when the step has ended
	var child []io.Closer  // its ends, closed when it has started
	if r.terminal != nil {
		master, slave, err := openTerminal(r.terminal.rows, r.terminal.columns)
		if err != nil {
			return Exit{Status: 125, Error: err.Error()}
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr.Setctty = true
		cmd.Env = append(cmd.Env, "TERM=linux")
		parent, child = append(parent, master), append(child, slave)
		go io.Copy(master, r.terminal.input) // ends with the guest
		copyTo(Stdout, master)
	} else {
		for stream, to := range map[Stream]*io.Writer{Stdout: &cmd.Stdout, Stderr: &cmd.Stderr} {
			reader, writer, err := os.Pipe()
			if err != nil {
				return Exit{Status: 125, Error: err.Error()}
			}
			*to = writer
			parent, child = append(parent, reader), append(child, writer)
			copyTo(stream, reader)
		}
	}
	err := r.orphans.start(cmd)
	for _, c := range child {
		c.Close()
	}
	if err != nil {
		readers.Wait()
		return Exit{Status: 127, Error: fmt.Sprintf("start %s: %v", step.Args[0], err)}
	}
	exit := waitStep(cmd, step.Limit)
	// What the step left running holds its output open: it ends with the step.
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	drained := make(chan struct{})
	go func() { readers.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(grace): // something in a session of its own still holds it
	}
	for _, c := range parent {
		c.Close()
	}
	return exit
}

// waitStep waits for a program, but not longer than limit.
func waitStep(cmd *exec.Cmd, limit time.Duration) Exit {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var late <-chan time.Time
	if limit > 0 {
		late = time.After(limit)
	}
	select {
	case err := <-done:
		return exitOf(err)
	case <-late:
	}
	cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-done:
	case <-time.After(grace):
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		<-done
	}
	return Exit{Status: 124, Late: true}
}

// exitOf translates what Wait returned as a shell would.
func exitOf(err error) Exit {
	if err == nil {
		return Exit{}
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return Exit{Status: 125, Error: err.Error()}
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Status: 128 + int(status.Signal())}
	}
	return Exit{Status: exit.ExitCode()}
}

// openTerminal returns a new pseudo terminal.
func openTerminal(rows, columns uint16) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/pts/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open terminal: %w", err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("open terminal: %w", err)
	}
	return master, slave, nil
}
