//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
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

// TestNoIPVS runs a director on a kernel without IPVS: it says which module is
// wanted. It comes last in the file's order, so that no other test needs the module meanwhile.
func TestNoIPVS(t *testing.T) {
	if os.Getenv(vm.InsideVariable) != "vm" {
		t.Log("this machine's own kernel keeps its modules: nothing tried")
		return
	}
	n := newNetwork(t, lab.Options{})
	const helper = "/proc/sys/kernel/modprobe" // what the kernel runs to load a module
	before, err := os.ReadFile(helper)
	must(t, err)
	must(t, os.WriteFile(helper, []byte("/bin/false"), 0))
	t.Cleanup(func() {
		must(t, os.WriteFile(helper, before, 0))
		_, err := n.A.Run("modprobe", "ip_vs")
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
			switch name, _, _ := strings.Cut(line, " "); {
			case name == "ip_vs":
				last = append(last, name)
			case strings.HasPrefix(name, "ip_vs_"):
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
	d := newDirector(t, n, n.A, many(1, -1, 1))
	must(t, d.Start())
	awaitLog(t, d, 20*time.Second, "ip_vs")
}
