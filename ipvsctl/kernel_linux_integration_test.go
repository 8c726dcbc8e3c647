//go:build integration

package ipvsctl_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

// newNamespace makes a network namespace with the interface that the contract
// wants, and returns a path that names it.
func newNamespace(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatalf("open own network namespace: %v", err)
	}
	defer own.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatalf("open network namespace: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	if err := addInterface(ipvstest.Interface); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatalf("leave network namespace: %v", err)
	}
	runtime.UnlockOSThread()
	return fmt.Sprintf("/proc/self/fd/%d", file.Fd())
}

// addInterface makes a network interface, and routes everything to it, since the
// kernel asks its routing table whether a destination's address is unicast.
func addInterface(name string) error {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	addr, err := netlink.ParseAddr("10.0.0.254/24")
	if err != nil {
		return err
	}
	return netlink.AddrAdd(link, addr)
}

func openLinux(t *testing.T) ipvsctl.Kernel {
	t.Helper()
	k, err := ipvsctl.Open(ipvsctl.Options{NetNS: newNamespace(t)})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestLinuxContract(t *testing.T) {
	ipvstest.TestKernel(t, openLinux)
}

// TestLinuxLeavesNamespace looks for threads that stay in a namespace whose table
// was opened. The process's first thread would do so for ever, unless it is led
// back: it does not end with its goroutine.
func TestLinuxLeavesNamespace(t *testing.T) {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		openLinux(t)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if ns, err := os.Readlink(task); err == nil && ns != own {
			t.Errorf("%s is %s, want %s", task, ns, own)
		}
	}
}

// TestLinuxStopDaemonAtOnce stops sync daemons before they have run, which the
// kernel does but does not acknowledge.
func TestLinuxStopDaemonAtOnce(t *testing.T) {
	k := openLinux(t)
	start := ipvsctl.Op{Kind: ipvsctl.StartDaemon, State: ipvsctl.SyncMaster, Daemon: ipvsctl.Daemon{Interface: ipvstest.Interface}}
	stop := ipvsctl.Op{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncMaster}
	for i := range 200 {
		if err := k.Do([]ipvsctl.Op{start, stop}); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	table, err := k.Dump()
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	if len(table.Daemons) > 0 {
		t.Errorf("daemons run: %v", table.Daemons)
	}
}

// TestLinuxUnloaded takes the module out of the kernel under an open table. The
// number of IPVS in generic netlink is another one then.
func TestLinuxUnloaded(t *testing.T) {
	k := openLinux(t)
	if _, err := k.Dump(); err != nil {
		t.Fatalf("dump: %v", err)
	}
	// The kernel removes a network namespace some time after its last user has
	// gone, and what was in it uses the modules until then. A connection that was
	// closed while its peer is gone is such a user, too, for minutes.
	run(t, "sh", "-c", `for i in $(seq 300); do
		rmmod $(lsmod | awk '$1 ~ /^ip_vs/ && $3 == 0 { print $1 }')
		lsmod | grep ^ip_vs || exit 0
		sleep 0.1
	done
	lsns -t net -o NS,NPROCS,PID,COMMAND,PATH # who uses them
	exit 1`)
	var err error
	for range 2 { // the first may fail and then opens again, which loads the module
		if _, err = k.Dump(); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("dump after unloading: %v", err)
	}
	op := ipvsctl.Op{Kind: ipvsctl.AddService, Service: virtual(tcp("192.0.2.1:80"))}
	if err := k.Do([]ipvsctl.Op{op}); err != nil {
		t.Errorf("do after unloading: %v", err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// TestLinuxNoPermission opens the table as a user without capabilities, in a
// process of its own.
func TestLinuxNoPermission(t *testing.T) {
	if os.Getenv("IPVSCTL_TEST_UNPRIVILEGED") != "" {
		if _, err := ipvsctl.Open(ipvsctl.Options{}); !errors.Is(err, ipvsctl.ErrNoPermission) {
			t.Errorf("open: %v, want %v", err, ipvsctl.ErrNoPermission)
		}
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestLinuxNoPermission$")
	cmd.Env = append(os.Environ(), "IPVSCTL_TEST_UNPRIVILEGED=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("unprivileged: %v\n%s", err, out)
	}
}

func TestLinuxConnections(t *testing.T) {
	k := openLinux(t).(*ipvsctl.Linux)
	s := virtual(tcp("192.0.2.1:80"))
	if err := k.Do([]ipvsctl.Op{
		{Kind: ipvsctl.AddService, Service: s},
		{Kind: ipvsctl.AddDestination, Service: s, Destination: real("10.0.0.1:80", 1)},
	}); err != nil {
		t.Fatalf("do: %v", err)
	}
	addr := real("10.0.0.1:80", 0).Addr
	if n, err := k.Connections(s.ID); len(n) != 1 || n[addr] != 0 || err != nil {
		t.Errorf("connections: %v, %v; want none of %s", n, err, addr)
	}
	if n, err := k.Connections(virtual(tcp("192.0.2.2:80")).ID); len(n) != 0 || err != nil {
		t.Errorf("connections of no service: %v, %v", n, err)
	}
}
