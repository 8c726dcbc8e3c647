//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/integration/vm"
)

// awaitLog waits until a director has said all the words.
func awaitLog(t *testing.T, d *lab.Director, limit time.Duration, words ...string) {
	t.Helper()
	must(t, lab.Await(limit, func() error { return contains(d.Log(), words...) }))
}

// TestMissingInterface starts a director whose group has no interface yet: it
// waits in FAULT, says why, and takes part when the interface comes.
func TestMissingInterface(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	config := strings.ReplaceAll(group{priority: 150, interval: 100 * time.Millisecond}.String(), "eth0", "late0")
	d := newDirector(t, n, n.A, config)
	must(t, d.Start())
	must(t, d.AwaitGroup("front", "FAULT", 20*time.Second))
	status, err := d.Status()
	must(t, err)
	must(t, contains(status.VRRP.Groups[0].Reason, "late0"))
	out, err := d.Command("status")
	must(t, err)
	must(t, contains(out, "FAULT", "late0"))

	_, err = n.A.Run("ip", "link", "add", "late0", "type", "dummy")
	must(t, err)
	_, err = n.A.Run("ip", "addr", "add", "10.5.0.1/24", "dev", "late0")
	must(t, err)
	_, err = n.A.Run("ip", "link", "set", "late0", "up")
	must(t, err)
	must(t, d.AwaitGroup("front", "MASTER", 10*time.Second))
	must(t, n.A.AwaitAddress(lab.VIP(0), true, 5*time.Second))

	_, err = n.A.Run("ip", "link", "del", "late0")
	must(t, err)
	must(t, d.AwaitGroup("front", "FAULT", 10*time.Second))
}

// TestNoPermission runs a director as nobody: it says which capability it lacks.
func TestNoPermission(t *testing.T) {
	tests := []struct{ name, config, capability string }{
		{"ipvs", many(1, -1, 1), "CAP_NET_ADMIN"},
		{"vrrp", group{priority: 150, interval: time.Second}.String(), "CAP_NET_RAW is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t, lab.Options{})
			d := newDirector(t, n, n.A, tt.config)
			must(t, os.Chown(d.Folder, 65534, 65534))
			must(t, d.StartBy("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"))
			awaitLog(t, d, 20*time.Second, tt.capability)
		})
	}
}

// TestSocketInUse starts a second director in the first one's place: it says so
// and ends, and the first does not notice.
func TestSocketInUse(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	d := startDirector(t, n, n.A, many(1, -1, 1))
	out, err := n.A.Run(os.Getenv(vm.ProgramVariable), "run", "--config", filepath.Join(d.Folder, "director.hcl"))
	if err == nil {
		t.Fatalf("a second director ran and ended well: %s", out)
	}
	must(t, contains(out+err.Error(), "director.sock", "in use"))
	if _, err := d.Status(); err != nil {
		t.Errorf("the first director does not answer any more: %v", err)
	}
	table, err := n.A.Table()
	must(t, err)
	if len(table) != 11 {
		t.Errorf("the table has %d rows, want 11", len(table))
	}
}

// unload takes modules out of the kernel, and lets nobody load one until the test
// ends. All whose name begins with one of the prefixes go, the named one last.
func unload(t *testing.T, n *lab.Network, module string, prefixes ...string) {
	t.Helper()
	const helper = "/proc/sys/kernel/modprobe" // what the kernel runs to load a module
	before, err := os.ReadFile(helper)
	must(t, err)
	must(t, os.WriteFile(helper, []byte("/bin/false"), 0))
	t.Cleanup(func() {
		must(t, os.WriteFile(helper, before, 0))
		_, err := n.A.Run("modprobe", module)
		must(t, err)
	})
	// Namespaces of other tests end in the background, and with them their use of the module.
	must(t, lab.Await(20*time.Second, func() error {
		loaded, err := os.ReadFile("/proc/modules")
		if err != nil {
			return err
		}
		args := []string{"rmmod"}
		var last []string
		for line := range strings.Lines(string(loaded)) {
			name, _, _ := strings.Cut(line, " ")
			switch {
			case name == module:
				last = append(last, name)
			case slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
				args = append(args, name)
			}
		}
		if len(last) == 0 {
			return nil
		}
		_, err = n.A.Run(append(args, last...)...)
		if err == nil {
			err = fmt.Errorf("the module was there")
		}
		return err
	}))
}

// inVM reports whether the kernel is the test's own; another one keeps its modules.
func inVM(t *testing.T) bool {
	t.Helper()
	if os.Getenv(vm.InsideVariable) == "vm" {
		return true
	}
	t.Log("this machine's own kernel keeps its modules: nothing tried")
	return false
}

// TestNoMarks runs a director on a kernel without nftables: what needs no mark
// works, and it says which module is wanted for the rest.
func TestNoMarks(t *testing.T) {
	if !inVM(t) {
		return
	}
	n := newNetwork(t, lab.Options{})
	unload(t, n, "nf_tables", "nft_")
	d := newDirector(t, n, n.A, many(1, -1, 1)+`
virtual_server "marked" {
  addresses = ["10.80.8.1:80", "10.80.8.2:80"]
  fwmark    = 8
  real_server "10.3.0.11" {}
}
`)
	must(t, d.Start())
	awaitLog(t, d, 20*time.Second, "nf_tables")
	awaitRow(t, n.A, false, "-A", "-f", "8")
	status, err := d.Command("status")
	must(t, err)
	must(t, contains(status, "kernel not in sync: mark packets: this kernel has no nftables"))
}

// TestNoIPVS runs a director on a kernel without IPVS: it says which module is
// wanted. It comes last in the file's order, so that no other test needs the module meanwhile.
func TestNoIPVS(t *testing.T) {
	if !inVM(t) {
		return
	}
	n := newNetwork(t, lab.Options{})
	unload(t, n, "ip_vs", "ip_vs_")
	d := newDirector(t, n, n.A, many(1, -1, 1))
	must(t, d.Start())
	awaitLog(t, d, 20*time.Second, "ip_vs")
}
