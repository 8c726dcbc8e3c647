//go:build integration

package realserver_test

import (
	"os/exec"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/realserver"
)

// TestLinux takes every mode up and down in a new network namespace, which is
// as it was in the end.
func TestLinux(t *testing.T) {
	runtime.LockOSThread() // the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	// A device of a tunnel stays when its module is loaded, so they are there before.
	for _, module := range []string{"ipip", "ip_gre", "ip6_gre", "ip6_tunnel", "fou", "fou6"} {
		run(t, "modprobe", module)
	}
	run(t, "ip", "link", "set", "lo", "up") // which gives it 127.0.0.1 for good
	before := snapshot(t)
	var s realserver.State
	vips := []realserver.VIP{
		vip("192.0.2.1", realserver.DR), vip("192.0.2.2", realserver.IPIP), vip("192.0.2.3", realserver.GRE), vip("192.0.2.4", realserver.GUE),
		vip("2001:db8::1", realserver.DR), vip("2001:db8::2", realserver.IPIP), vip("2001:db8::3", realserver.GRE), vip("2001:db8::4", realserver.GUE),
	}
	for _, v := range vips {
		if problems, err := s.Status(realserver.Linux{}, v); err != nil || len(problems) == 0 {
			t.Errorf("status of %s before: %v, %v", v, problems, err)
		}
		if err := s.Up(realserver.Linux{}, v); err != nil {
			t.Fatalf("up %s: %v", v, err)
		}
	}
	done := len(s.Changes)
	if err := s.Up(realserver.Linux{}, vips...); err != nil || len(s.Changes) != done {
		t.Errorf("up again: %v, %d changes more", err, len(s.Changes)-done)
	}
	if problems, err := s.Status(realserver.Linux{}); err != nil || len(problems) > 0 {
		t.Errorf("status: %v, %v", problems, err)
	}
	run(t, "ip", "address", "del", "192.0.2.2/32", "dev", "tunl0")
	if problems, err := s.Status(realserver.Linux{}); err != nil || len(problems) != 1 {
		t.Errorf("status without an address: %v, %v", problems, err)
	}
	if err := s.Down(realserver.Linux{}); err != nil {
		t.Errorf("down: %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t)); diff != "" {
		t.Errorf("after down (-before +after):\n%s", diff)
	}
}

func snapshot(t *testing.T) string {
	t.Helper()
	return run(t, "sh", "-c", "ip -o address | sed 's/ *[^ ]*lft.*//'; ip -o link | grep -o '^[^>]*>'; ip fou show; ip -6 fou show; "+
		"sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce net.ipv4.conf.tunl0.rp_filter net.ipv4.conf.gre0.rp_filter")
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
