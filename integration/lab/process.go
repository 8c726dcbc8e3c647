package lab

import (
	"bytes"
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
)

// Process is a program that runs in a box, with everything that it starts: all
// are in the box's control group, so that none escapes a signal or the account.
// One box runs one Process at a time, or the same program again.
type Process struct {
	Box     *Namespace
	Started time.Time // just before the program was started

	group string // folder of the control group
	log   string // file with what it printed
	cmd   *exec.Cmd
	done  chan struct{} // closed when cmd has ended
}

// Start starts a program in a box. What it prints is added to the file log.
func (n *Network) Start(box *Namespace, log string, args ...string) (*Process, error) {
	p := &Process{Box: box, group: n.cgroup(box), log: log, done: make(chan struct{})}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	defer out.Close()
	group, err := os.Open(p.group)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	defer group.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Setsid: true}
	p.Started = time.Now()
	if err := box.Do(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", args[0], box.Name, err)
	}
	go func() {
		p.cmd.Wait() // the status does not matter; that it ended does
		close(p.done)
	}()
	n.started = append(n.started, p)
	return p, nil
}

// PID returns the id of the process that was started, not of those it started.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process that was started has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns the status that it ended with, -1 for a signal.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// PIDs returns the ids of all processes in the box's control group.
func (p *Process) PIDs() ([]int, error) {
	data, err := os.ReadFile(filepath.Join(p.group, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("list processes of %s: %w", p.Box.Name, err)
	}
	var pids []int
	for _, word := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("list processes of %s: %w", p.Box.Name, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Signal sends a signal to the process that was started.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// SignalAll sends a signal to it and to all that it started; SIGKILL to all at once.
func (p *Process) SignalAll(sig syscall.Signal) error {
	if sig == syscall.SIGKILL {
		if err := os.WriteFile(filepath.Join(p.group, "cgroup.kill"), []byte("1"), 0); err != nil {
			return fmt.Errorf("kill processes of %s: %w", p.Box.Name, err)
		}
		return nil
	}
	pids, err := p.PIDs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signal process %d of %s: %w", pid, p.Box.Name, err)
		}
	}
	return nil
}

// Kill ends all processes in the box's control group at once, and waits until they
// are gone.
func (p *Process) Kill() error {
	if err := p.SignalAll(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return Await(10*time.Second, func() error {
		pids, err := p.PIDs()
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("kill processes of %s: %v still there", p.Box.Name, pids)
		}
		return err
	})
}

// Wait waits until the process that was started has ended by itself.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("wait for process %d of %s: still there after %v", p.PID(), p.Box.Name, limit)
	}
}

// CPU returns the processor time that the box's processes have used, also those
// that have ended.
func (p *Process) CPU() (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join(p.group, "cpu.stat"))
	if err != nil {
		return 0, fmt.Errorf("read processor time of %s: %w", p.Box.Name, err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("read processor time of %s: no usage_usec", p.Box.Name)
}

// Memory is what the box's processes use, in KiB, summed over them.
type Memory struct {
	Peak int // VmHWM: the most that was resident; shared pages count for each process
	Pss  int // now; shared pages are divided among those that share them
}

// Memory returns the memory that the box's processes use.
func (p *Process) Memory() (Memory, error) {
	pids, err := p.PIDs()
	if err != nil {
		return Memory{}, err
	}
	var sum Memory
	for _, pid := range pids {
		for file, field := range map[string]*int{"status:VmHWM": &sum.Peak, "smaps_rollup:Pss": &sum.Pss} {
			name, key, _ := strings.Cut(file, ":")
			kib, err := procField(fmt.Sprintf("/proc/%d/%s", pid, name), key)
			if err != nil {
				return Memory{}, err
			}
			*field += kib
		}
	}
	return sum, nil
}

// procField reads a line like "VmHWM:  123 kB".
func procField(path, key string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, fmt.Errorf("read memory: no %s in %s", key, path)
}

// Log returns what the program printed.
func (p *Process) Log() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.ToValidUTF8(data, []byte("?")))
}

// Run runs a program in a box to its end and returns what it printed on its
// standard output. The error has what it printed on its standard error.
func (n *Namespace) Run(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := n.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("%s in %s: %w: %s", strings.Join(args, " "), n.Name, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Await calls check until it returns nil, but not longer than limit. It returns
// what check returned last.
func Await(limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %w", limit, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
