//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/lab"
)

// fill writes to a folder's disk until nothing more goes onto it. The disk is the
// folder's own, and goes with the test.
func fill(t *testing.T, folder string) (filler string) {
	t.Helper()
	must(t, os.MkdirAll(folder, 0o750))
	must(t, unix.Mount("small", folder, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { must(t, unix.Unmount(folder, unix.MNT_DETACH)) })
	filler = filepath.Join(folder, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatalf("a mebibyte went onto the disk of %s", folder)
	}
	return filler
}

// TestFullDisk starts a director whose runtime_dir, state_dir and log are on full
// disks: it serves, VRRP and all, refuses only what it would have to remember, and
// does the rest when there is space again.
func TestFullDisk(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	servers(t, n)
	d := newDirector(t, n, n.A, "")
	log := filepath.Join(d.Folder, "log.d", "director.log")
	must(t, d.Configure(fmt.Sprintf("log { file = %q }\n", log)+group{priority: 150, interval: 100 * time.Millisecond}.String()+`
virtual_server "web" {
  address   = "10.0.0.100:80"
  scheduler = "rr"
  real_server "10.3.0.11:80" {}
}
`))
	fill(t, filepath.Join(d.Folder, "run"))
	logFiller := fill(t, filepath.Dir(log))
	filler := fill(t, filepath.Join(d.Folder, "state"))
	must(t, d.Start())
	must(t, d.AwaitGroup("front", "MASTER", 20*time.Second))
	awaitRow(t, n.A, false, "-a", "10.0.0.100:80", "10.3.0.11:80", "1")
	awaitLog(t, d, 20*time.Second, "write log", "no space left on device; lines are lost")
	out, err := d.Command("drain", "web", "all")
	if err == nil || !strings.Contains(out+err.Error(), "no space left on device") {
		t.Errorf("drain with a full state_dir: %v\n%s", err, out)
	}

	must(t, os.Remove(logFiller))
	must(t, os.Remove(filler))
	must(t, lab.Await(20*time.Second, func() error {
		_, err := os.Stat(filepath.Join(d.Folder, "state", "owned"))
		return err
	}))
	_, err = d.Command("drain", "web", "all")
	must(t, err)
	awaitRow(t, n.A, false, "-a", "10.0.0.100:80", "10.3.0.11:80", "0")
	must(t, lab.Await(10*time.Second, func() error {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		return contains(string(text), "log lines lost: the log could not be written")
	}))
}
