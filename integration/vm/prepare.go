package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what is needed to run jobs. It is made by Prepare and does not change.
type Machine struct {
	// Native says that jobs run on this machine's own kernel.
	Native bool

	cache   string
	kernel  string   // path of the kernel's image
	modules string   // path of its lib/modules
	release string   // of the kernel
	early   []string // modules that the guest needs to reach its root, in order
	kvm     bool
}

// String says what the machine is, in one line.
func (m *Machine) String() string {
	if m.Native {
		return "this machine's own kernel"
	}
	if m.kvm {
		return "Linux " + m.release + " in QEMU with KVM"
	}
	return "Linux " + m.release + " in QEMU, emulated"
}

// CacheDir returns the folder where Prepare keeps the kernel: $DIRECTOR_VM_CACHE,
// else director-vm under $XDG_CACHE_HOME, /var/cache (as root) or ~/.cache.
func CacheDir() (string, error) {
	if dir := os.Getenv("DIRECTOR_VM_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "director-vm"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/director-vm", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	return filepath.Join(home, ".cache", "director-vm"), nil
}

// Prepare makes this machine able to run jobs and tells say what it does. It
// installs missing packages (as root), fetches the kernel once, and tries KVM
// once. It does nothing a second time, and several callers at once are safe.
func Prepare(ctx context.Context, say func(format string, args ...any)) (*Machine, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("make cache folder: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	extendPath()

	native := nativeIPVS()
	if err := install(ctx, native, say); err != nil {
		return nil, err
	}
	if native {
		return &Machine{Native: true, cache: cache}, nil
	}
	m := &Machine{cache: cache}
	if err := m.findKernel(ctx, say); err != nil {
		return nil, err
	}
	if m.kvm, err = m.probeKVM(ctx, say); err != nil {
		return nil, err
	}
	return m, nil
}

// lock takes an exclusive lock that ends with this process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		for {
			err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
			if !errors.Is(err, unix.EINTR) {
				done <- err
				return
			}
		}
	}()
	select {
	case err := <-done:
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return func() { file.Close() }, nil
	case <-ctx.Done():
		// The goroutine stays in flock until its turn comes; the program is about to end.
		return nil, fmt.Errorf("lock %s: %w", path, context.Cause(ctx))
	}
}

// extendPath lets programs be found that Debian keeps out of a user's PATH.
func extendPath() {
	path := os.Getenv("PATH")
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if !strings.Contains(":"+path+":", ":"+dir+":") {
			path += ":" + dir
		}
	}
	os.Setenv("PATH", path)
}

// output runs a program and returns what it printed; the error has what it
// printed on its standard error.
func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w\n%s", err, indent(string(exit.Stderr)))
	}
	return string(out), err
}
