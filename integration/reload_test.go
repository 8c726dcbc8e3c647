//go:build integration

package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/lab"
)

// many returns a configuration of virtual servers with ten real servers each,
// all of weight 1 but one.
func many(virtuals, odd, weight int) string {
	var b strings.Builder
	for v := range virtuals {
		fmt.Fprintf(&b, "virtual_server \"v%d\" {\n  address = \"10.1.%d.%d:80\"\n", v, v/250, v%250+1)
		for r := range 10 {
			x, w := v*10+r, 1
			if x == odd {
				w = weight
			}
			fmt.Fprintf(&b, "  real_server \"10.21.%d.%d:80\" { weight = %d }\n", x/250, x%250+1, w)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// TestReload changes one weight among 1,000 × 10 destinations: one message to
// the kernel, and no other row differs. A broken file changes nothing.
func TestReload(t *testing.T) {
	const odd = 4567
	n := newNetwork(t, lab.Options{})
	d := startDirector(t, n, n.A, many(1000, odd, 1))
	before, err := n.A.Table()
	must(t, err)
	if len(before) != 11000 {
		t.Fatalf("%d rows, want 11000", len(before))
	}
	monitor, err := n.A.Watch()
	must(t, err)
	t.Cleanup(func() { must(t, monitor.Close()) })

	t.Run("one weight", func(t *testing.T) {
		since := time.Now()
		must(t, d.Configure(many(1000, odd, 7)))
		must(t, d.Reload())
		awaitRow(t, n.A, false, "-a", "10.1.1.207:80", "10.21.18.68:80", "7")
		if diff := cmp.Diff(map[string]int{"SET_DEST": 1}, monitor.Count(since)); diff != "" {
			t.Errorf("changes asked of the kernel (-want +got):\n%s", diff)
		}
		after, err := n.A.Table()
		must(t, err)
		var changed []string
		for _, row := range after {
			if _, same := slices.BinarySearch(before, row); !same {
				changed = append(changed, row)
			}
		}
		if diff := cmp.Diff([]string{"-a -t 10.1.1.207:80 -r 10.21.18.68:80 -m -w 7"}, changed); diff != "" || len(after) != len(before) {
			t.Errorf("rows that differ, of %d (-want +got):\n%s", len(after), diff)
		}
	})

	t.Run("broken file", func(t *testing.T) {
		since := time.Now()
		must(t, d.Configure(many(1000, odd, 9)+"virtual_server \"x\" {\n  address = \"10.1.0.300:80\"\n}\n"))
		err := d.Reload()
		if err == nil {
			t.Fatal("a broken file was taken")
		}
		must(t, contains(err.Error(), "director.hcl", "10.1.0.300:80"))
		status, err := d.Status()
		must(t, err)
		must(t, contains(status.Config.LastError, "10.1.0.300:80"))

		// The same by signal.
		first := status.Config.LastErrorAt
		must(t, d.Signal(syscall.SIGHUP))
		must(t, lab.Await(20*time.Second, func() error {
			status, err := d.Status()
			if err == nil && !status.Config.LastErrorAt.After(first) {
				err = fmt.Errorf("the last refusal is still that of %v", first)
			}
			return err
		}))
		must(t, contains(d.Log(), "10.1.0.300:80"))
		if got := monitor.Count(since); len(got) != 0 {
			t.Errorf("a broken file changed the kernel: %v", got)
		}
		awaitRow(t, n.A, false, "-a", "10.1.1.207:80", "10.21.18.68:80", "7")
	})

	t.Run("mended by signal", func(t *testing.T) {
		since := time.Now()
		must(t, d.Configure(many(1000, odd, 9)))
		must(t, d.Signal(syscall.SIGHUP))
		awaitRow(t, n.A, false, "-a", "10.1.1.207:80", "10.21.18.68:80", "9")
		if diff := cmp.Diff(map[string]int{"SET_DEST": 1}, monitor.Count(since)); diff != "" {
			t.Errorf("changes asked of the kernel (-want +got):\n%s", diff)
		}
		status, err := d.Status()
		must(t, err)
		if status.Config.LastError != "" {
			t.Errorf("the last error is still %q", status.Config.LastError)
		}
	})
}

// TestDrift changes the table by hand. What is ours comes back within resync, and
// what is not is left alone.
func TestDrift(t *testing.T) {
	const resync = time.Second
	n := newNetwork(t, lab.Options{})
	d := startDirector(t, n, n.A, fmt.Sprintf("ipvs { resync = %q }\n", resync.String())+many(3, 5, 4))
	ours, err := n.A.Table()
	must(t, err)
	foreign := "-A -t 10.9.9.9:99 -s lc"
	tests := []struct {
		name    string
		byHand  [][]string
		foreign bool // left when all is right again
	}{
		{"a service is flushed away", [][]string{{"-C"}}, false},
		{"a foreign service survives", [][]string{{"-A", "-t", "10.9.9.9:99", "-s", "lc"}, {"-D", "-t", "10.1.0.2:80"}}, true},
		{"a weight is edited", [][]string{{"-e", "-t", "10.1.0.1:80", "-r", "10.21.0.6:80", "-m", "-w", "0"}}, true},
		{"a scheduler is edited", [][]string{{"-E", "-t", "10.1.0.3:80", "-s", "rr"}}, true},
		{"a server is added to our service", [][]string{{"-a", "-t", "10.1.0.1:80", "-r", "10.99.0.1:80", "-m"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, err := d.Status()
			must(t, err)
			repairs := status.Kernel.Repairs
			for _, args := range tt.byHand {
				_, err := n.A.Run(append([]string{"ipvsadm"}, args...)...)
				must(t, err)
			}
			want := slices.Clone(ours)
			if tt.foreign {
				want = append(want, foreign)
			}
			if strings.Contains(tt.name, "is added") {
				want = append(want, "-a -t 10.1.0.1:80 -r 10.99.0.1:80 -m -w 1") // it is not ours
			}
			slices.Sort(want)
			must(t, lab.Await(resync+5*time.Second, func() error {
				got, err := n.A.Table()
				if diff := cmp.Diff(want, got); err == nil && diff != "" {
					err = fmt.Errorf("table (-want +got):\n%s", diff)
				}
				return err
			}))
			if strings.Contains(tt.name, "is added") {
				return
			}
			must(t, lab.Await(resync+5*time.Second, func() error {
				status, err := d.Status()
				if err == nil && status.Kernel.Repairs <= repairs {
					err = fmt.Errorf("status tells of %d repairs, before it was %d", status.Kernel.Repairs, repairs)
				}
				return err
			}))
		})
	}
	out, err := d.Command("tail", "-n", "0", "--kind", "drift")
	must(t, err)
	must(t, contains(out, "10.1.0.2:80"))
}
