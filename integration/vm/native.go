package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// nativeHelper is the hidden first argument of this program as a step's parent
// on a native machine.
const nativeHelper = "native-step"

// PrepareNative is Prepare for jobs that need the real processor and can do
// without IPVS. It needs root, and network namespaces in the kernel.
func PrepareNative(ctx context.Context, say func(format string, args ...any)) (*Machine, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	extendPath()
	if os.Geteuid() != 0 {
		return nil, errors.New("run natively: only root can make network namespaces")
	}
	if err := install(ctx, true, say); err != nil {
		return nil, err
	}
	return &Machine{Native: true, cache: cache}, nil
}

// nativeIPVS says whether jobs can run on this machine itself: it needs root,
// IPVS in the kernel, and network namespaces. DIRECTOR_VM_NATIVE=no says no.
func nativeIPVS() bool {
	if os.Geteuid() != 0 || os.Getenv("DIRECTOR_VM_NATIVE") == "no" {
		return false
	}
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil {
		for _, name := range guestModules {
			if exec.Command("modprobe", "-q", name).Run() != nil {
				return false
			}
		}
	}
	// IPVS is there, and may still be out of bounds in a container.
	probe := exec.Command("ipvsadm", "-Ln")
	if _, err := exec.LookPath("ipvsadm"); err != nil {
		probe = exec.Command("cat", "/proc/net/ip_vs")
	}
	probe.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	return probe.Run() == nil
}

// runNative runs the steps here, each in a network and a mount namespace of its own.
func (m *Machine) runNative(ctx context.Context, job Job, observe func(Event)) ([]Exit, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("run natively: %w", err)
	}
	reader, writer := io.Pipe()
	r := runner{report: writer, inside: "native", out: job.Out, prefix: []string{self, nativeHelper}}
	if job.Terminal != nil {
		r.terminal = &terminal{input: job.Terminal, rows: job.Rows, columns: job.Columns}
	}
	go func() {
		for i, step := range job.Steps {
			if err := r.run(i, step); err != nil {
				return
			}
		}
		writer.Close()
	}()
	stop := context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	defer stop()
	exits, err := collect(reader, len(job.Steps), observe)
	reader.Close()
	if err == nil && len(exits) < len(job.Steps) {
		err = errors.New("the steps ended early")
	}
	if err != nil {
		return exits, &MachineError{Err: fmt.Errorf("run natively: %w", err)}
	}
	return exits, nil
}

// nativeChild makes the namespaces and becomes the step's program. It does not return.
func nativeChild(args []string) {
	runtime.LockOSThread() // namespaces belong to a thread, and Exec takes the caller's
	err := func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make namespaces: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		// Names of namespaces are ours alone, and /sys shows the new network.
		if err := mountAll([]mount{{"run", "/run/netns", "tmpfs", "mode=755"}, {"sys", "/sys", "sysfs", ""}, {"cgroup", "/sys/fs/cgroup", "cgroup2", ""}}); err != nil {
			return err
		}
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			return fmt.Errorf("set lo up: %w: %s", err, out)
		}
		path, err := exec.LookPath(args[0])
		if err != nil {
			return err
		}
		return syscall.Exec(path, args, os.Environ())
	}()
	fmt.Fprintf(os.Stderr, "vm: %v\n", err)
	os.Exit(127)
}
