package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// defaultLimit is the time that a boot has when the job does not say.
const defaultLimit = 10 * time.Minute

// kernelArguments make the guest boot fast and end when it is told to: an
// emulated clock is best read as a TSC, and mitigations only cost here.
const kernelArguments = "console=ttyS0 panic=-1 quiet mitigations=off clocksource=tsc tsc=reliable"

// Run boots the guest (or not, when the machine is native), runs the job's steps
// and calls observe for each event, in order, from one goroutine. It returns how
// each step ended. The error is a *MachineError when the guest failed.
func (m *Machine) Run(ctx context.Context, job Job, observe func(Event)) ([]Exit, error) {
	if job.Limit == 0 {
		job.Limit = defaultLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, job.Limit, fmt.Errorf("not finished after %v", job.Limit))
	defer cancel()
	if m.Native {
		return m.runNative(ctx, job, observe)
	}
	dir, err := os.MkdirTemp(m.cache, "job-")
	if err != nil {
		return nil, fmt.Errorf("make job folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := m.writeJob(dir, job); err != nil {
		return nil, fmt.Errorf("write job: %w", err)
	}
	return m.boot(ctx, dir, job, observe)
}

// guestJob is what the guest is told, as the file job.json in its initial RAM disk.
type guestJob struct {
	Steps    []Step
	Modules  string // this machine's path of the kernel's modules
	Out      bool
	Terminal bool
	Rows     uint16
	Columns  uint16
}

// writeJob makes the initial RAM disk: this program as /init, the modules that
// it needs first, and the job.
func (m *Machine) writeJob(dir string, job Job) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	if err := checkStatic(program); err != nil {
		return fmt.Errorf("%s: %w", self, err)
	}
	text, err := json.Marshal(guestJob{
		Steps: job.Steps, Modules: m.modules, Out: job.Out != "",
		Terminal: job.Terminal != nil, Rows: job.Rows, Columns: job.Columns,
	})
	if err != nil {
		return err
	}
	var disk archive
	for _, name := range []string{"dev", "proc", "sys", "modules", "ro", "rw", "root"} {
		disk.dir(name)
	}
	disk.file("init", program)
	disk.file("job.json", text)
	for i, path := range m.early {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		disk.file(fmt.Sprintf("modules/%02d-%s", i, filepath.Base(path)), data)
	}
	return os.WriteFile(filepath.Join(dir, "initrd"), disk.finish(), 0o600)
}

// boot runs QEMU until the guest switches itself off.
func (m *Machine) boot(ctx context.Context, dir string, job Job, observe func(Event)) ([]Exit, error) {
	console := filepath.Join(dir, "console")
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", m.qemuArguments(dir, console, job.Out)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	input, err := cmd.StdinPipe() // stays open: at its end QEMU would stall the guest's output
	if err != nil {
		return nil, fmt.Errorf("start qemu: %w", err)
	}
	defer input.Close()
	frames, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start qemu: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start qemu: %w", err)
	}
	if os.Geteuid() == 0 {
		// The guest's timers are worth little while compilers of the same machine are
		// served first. It need not succeed.
		syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, -10)
	}
	watchCtx, stopWatch := context.WithCancel(ctx)
	var stuck atomic.Bool
	var watch sync.WaitGroup
	watch.Go(func() {
		if awaitStuck(watchCtx, console) {
			stuck.Store(true)
			cmd.Process.Kill()
		}
	})
	defer watch.Wait()
	defer stopWatch()
	if job.Terminal != nil {
		// It ends with the program: a read of a terminal cannot be interrupted.
		go io.Copy(input, job.Terminal)
	}
	exits, readErr := collect(frames, len(job.Steps), observe)
	io.Copy(io.Discard, frames)
	waitErr := cmd.Wait()
	if len(exits) == len(job.Steps) {
		return exits, nil
	}
	cause := errors.Join(readErr, waitErr)
	if stuck.Load() {
		cause = ErrStuck
	} else if ctx.Err() != nil {
		cause = context.Cause(ctx)
	} else if cause == nil {
		cause = errors.New("the guest ended before its work")
	}
	if text := strings.TrimSpace(complaint.String()); text != "" {
		cause = fmt.Errorf("%w\n%s", cause, indent(text))
	}
	return exits, &MachineError{Err: fmt.Errorf("run guest: %w", cause), Console: tail(console, 30)}
}

// collect passes the guest's events on until all steps have ended.
func collect(frames io.Reader, steps int, observe func(Event)) ([]Exit, error) {
	var exits []Exit
	for len(exits) < steps {
		event, err := readEvent(frames)
		if errors.Is(err, io.EOF) {
			return exits, nil
		}
		if err != nil {
			return exits, err
		}
		if event.Stream == Ended {
			exits = append(exits, event.Exit)
		}
		observe(event)
	}
	return exits, nil
}

// qemuArguments describes the guest: two processors, memory, this machine's
// files read-only, one port for what the steps print.
func (m *Machine) qemuArguments(dir, console, out string) []string {
	accel := []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
	if m.kvm {
		accel = []string{"-accel", "kvm", "-cpu", "host"}
	}
	args := append(accel, "-smp", "2", "-m", strconv.Itoa(guestMemory()),
		"-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
		"-kernel", m.kernel, "-initrd", filepath.Join(dir, "initrd"), "-append", kernelArguments,
		"-serial", "file:"+console,
		"-device", "virtio-serial-pci", "-chardev", "stdio,id=port,signal=off", "-device", "virtserialport,chardev=port,name="+portName,
		"-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap")
	if out != "" {
		args = append(args, "-virtfs", "local,path="+strings.ReplaceAll(out, ",", ",,")+",mount_tag=out,security_model=none,multidevs=remap")
	}
	return args
}

// guestMemory returns the guest's memory in MiB: $DIRECTOR_VM_MEMORY, else half
// of this machine's and at most 4096.
func guestMemory() int {
	if n, err := strconv.Atoi(os.Getenv("DIRECTOR_VM_MEMORY")); err == nil && n > 0 {
		return n
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 2048
	}
	return int(min(4096, info.Totalram*uint64(info.Unit)/2>>20))
}

// tail returns the last lines of a file, "" when it cannot be read.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(data), "\r", "")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
