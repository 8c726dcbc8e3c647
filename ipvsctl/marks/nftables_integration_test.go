//go:build integration

package marks

import (
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/ipvsctl"
)

// enterNamespace puts the test on a thread of its own in a new network namespace.
func enterNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
}

func runNFT(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// change reads, writes, and wants to read back what was written.
func change(t *testing.T, want Table, whole bool) {
	t.Helper()
	var k Linux
	have, is, err := k.Read()
	if err != nil || is != whole {
		t.Fatalf("read: whole is %v, want %v, %v", is, whole, err)
	}
	if err := k.Write(have, want, is); err != nil {
		t.Fatalf("write: %v", err)
	}
	got, is, err := k.Read()
	if err != nil || !is {
		t.Fatalf("read again: whole is %v, %v", is, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("kernel (-want +got):\n%s", diff)
	}
}

func TestLinux(t *testing.T) {
	enterNamespace(t)
	large := Table{}
	for i := range 9000 {
		large[Target{ipvsctl.TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)}] = 1 << 31
	}
	change(t, large, false)
	small := Table{tcp("192.0.2.1:80"): 7, {ipvsctl.UDP, netip.MustParseAddrPort("192.0.2.1:53")}: 7, {ipvsctl.SCTP, netip.MustParseAddrPort("[2001:db8::1]:80")}: 9}
	change(t, small, true)
	small[tcp("192.0.2.1:80")] = 8
	change(t, small, true)
	text := runNFT(t, "list", "table", "inet", "director")
	for _, words := range []string{"192.0.2.1 . tcp . 80 : 0x08000000", "192.0.2.1 . udp . 53 : 0x07000000", "2001:db8::1 . sctp . 80 : 0x09000000",
		"type filter hook prerouting priority mangle", "type route hook output priority mangle"} {
		if !strings.Contains(text, words) {
			t.Errorf("nft does not show %q:\n%s", words, text)
		}
	}
	if err := (Linux{}).Remove(); err != nil {
		t.Fatalf("remove: %v", err)
	}
	if text := runNFT(t, "list", "tables"); text != "" {
		t.Errorf("after removal: %s", text)
	}
}

// TestLinuxBroken does to the table what others may, and wants it to be noticed
// and made anew, and their own table to be left alone.
func TestLinuxBroken(t *testing.T) {
	enterNamespace(t)
	runNFT(t, "add table inet other { set s { type ipv4_addr; elements = { 192.0.2.9 } }; }")
	others := runNFT(t, "list", "table", "inet", "other")
	want := Table{tcp("192.0.2.1:80"): 7}
	change(t, want, false)
	for _, harm := range []string{
		"delete table inet director", "flush chain inet director output", "add rule inet director prerouting drop",
		"add element inet director ipv4 { 192.0.2.1 . icmp . 0 : 1 }", "add chain inet director more",
		"add chain inet director output { policy drop; }", "add table inet director { flags dormant; }",
	} {
		runNFT(t, harm)
		change(t, want, false)
	}
	runNFT(t, "flush map inet director ipv4")
	have, whole, err := Linux{}.Read()
	if err != nil || !whole || len(Diff(have, want)) != 1 {
		t.Errorf("without its elements: %v, whole %v, %v", have, whole, err)
	}
	if text := runNFT(t, "list", "table", "inet", "other"); text != others {
		t.Errorf("somebody else's table is now %s", text)
	}
}

// TestLinuxNoPermission wants the missing capability by its name.
func TestLinuxNoPermission(t *testing.T) {
	enterNamespace(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	err := Linux{}.Write(nil, Table{tcp("192.0.2.1:80"): 7}, false)
	if err == nil || !strings.Contains(fmt.Sprint(err), "CAP_NET_ADMIN") {
		t.Errorf("without capabilities: %v", err)
	}
}
