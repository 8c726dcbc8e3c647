//go:build integration

package ipvsctl_test

import (
	"fmt"
	"os"
	"runtime"
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
	var file *os.File
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		done <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
				return err
			}
			return addInterface(ipvstest.Interface)
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	t.Cleanup(func() { file.Close() })
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
