package vm

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// portName is the virtio port by which the guest reports.
const portName = "director.port"

// guestModules are loaded for the steps; what asks for a link of a kind finds the
// rest by itself. Modules that IPVS asks for must be there before: it holds its
// lock meanwhile, a module that registers itself in all network namespaces waits
// for those that are being removed, and these wait for IPVS's lock. The kernel
// then stands still for good.
var guestModules = []string{
	"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_dh", "ip_vs_sh",
	"ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_mh", "ip_vs_pe_sip",
	"nf_tables", "veth", "bridge", "dummy", "ipip", "nlmon",
}

// Guest does the guest's work and does not return when this process is the
// guest's first one, or a step's helper on a native machine. It must be called first in main.
func Guest() {
	if len(os.Args) > 2 && os.Args[1] == nativeHelper {
		nativeChild(os.Args[2:])
	}
	if os.Getpid() != 1 {
		return
	}
	if _, err := os.Stat("/job.json"); err != nil {
		return // the first process of a container
	}
	if err := guestMain(); err != nil {
		fmt.Fprintf(os.Stderr, "guest: %v\n", err) // the console
	}
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // the first process must not end
}

func guestMain() error {
	text, err := os.ReadFile("/job.json")
	if err != nil {
		return err
	}
	var job guestJob
	if err := json.Unmarshal(text, &job); err != nil {
		return fmt.Errorf("decode job: %w", err)
	}
	if err := reachRoot(); err != nil {
		return err
	}
	if err := furnishRoot(job); err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	defer port.Close()
	runner := runner{report: port, inside: "vm", out: guestOut(job.Out)}
	if job.Terminal {
		runner.terminal = &terminal{input: port, rows: job.Rows, columns: job.Columns}
	}
	go runner.orphans.bury()
	for i, step := range job.Steps {
		if err := loadGuestModules(); err != nil { // anew: the step before may have unloaded some
			return err
		}
		if err := runner.run(i, step); err != nil {
			return err
		}
	}
	return nil
}

// mount is one mount of the guest. Its target is made if it is not there.
type mount struct{ source, target, kind, data string }

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.source, m.target, m.kind, 0, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
	}
	return nil
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// reachRoot makes the machine's file system, with memory laid over it, this
// process's root. All threads of a process share their root, so that no new
// process is needed.
func reachRoot() error {
	if err := mountAll([]mount{{"proc", "/proc", "proc", ""}, {"sys", "/sys", "sysfs", ""}, {"dev", "/dev", "devtmpfs", ""}}); err != nil {
		return err
	}
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	sort.Strings(modules)
	for _, path := range modules {
		if err := loadModule(path); err != nil {
			return err
		}
	}
	err = mountAll([]mount{
		{"root", "/ro", "9p", "trans=virtio,version=9p2000.L,cache=loose,msize=524288,ro"},
		{"rw", "/rw", "tmpfs", "size=75%"},
	})
	if err != nil {
		return err
	}
	for _, dir := range []string{"/rw/upper", "/rw/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := (mount{"overlay", "/root", "overlay", "lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work"}).do(); err != nil {
		return err
	}
	if err := unix.Chdir("/root"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return os.Chdir("/")
}

// loadModule loads one file, compressed or not. What is built in or loaded
// already is fine.
func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	if err := unix.FinitModule(int(file.Fd()), "", flags); err != nil && err != unix.EEXIST {
		return fmt.Errorf("load %s: %w", filepath.Base(path), err)
	}
	return nil
}

// furnishRoot mounts what a running system has and loads the modules for the steps.
func furnishRoot(job guestJob) error {
	mounts := []mount{
		{"proc", "/proc", "proc", ""},
		{"sys", "/sys", "sysfs", ""},
		{"dev", "/dev", "devtmpfs", ""},
		{"devpts", "/dev/pts", "devpts", "ptmxmode=0666"},
		{"shm", "/dev/shm", "tmpfs", ""},
		{"cgroup", "/sys/fs/cgroup", "cgroup2", ""},
		{"tracefs", "/sys/kernel/tracing", "tracefs", ""},
		{"run", "/run", "tmpfs", "mode=755"},
	}
	if job.Out {
		mounts = append(mounts, mount{"out", guestOut(true), "9p", "trans=virtio,version=9p2000.L,cache=none,msize=524288"})
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	if err := os.MkdirAll("/lib/modules", 0o755); err != nil {
		return err
	}
	if err := unix.Mount(job.Modules, "/lib/modules", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount modules: %w", err)
	}
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin")
	os.Setenv("HOME", "/root")
	os.Setenv("TERM", "dumb")
	unix.Sethostname([]byte("director-vm"))
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set lo up: %w: %s", err, out)
	}
	return nil
}

// loadGuestModules loads what steps want of modules.
func loadGuestModules() error {
	if out, err := exec.Command("modprobe", append([]string{"-a"}, guestModules...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("load modules: %w: %s", err, out)
	}
	return nil
}

// guestOut returns where the guest sees the job's Out folder.
func guestOut(has bool) string {
	if !has {
		return ""
	}
	return "/run/director-out"
}

// openPort opens the port by which the guest reports. Its number is up to QEMU.
func openPort() (io.ReadWriteCloser, error) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return nil, err
		}
		for _, path := range names {
			if name, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(name)) == portName {
				return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(path))), os.O_RDWR, 0)
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("open port: none is called %s", portName)
		}
		time.Sleep(10 * time.Millisecond) // the host names its ports after the device is there
	}
}
