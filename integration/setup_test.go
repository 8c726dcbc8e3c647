//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/integration/vm"
	"github.com/lvs-director/director/internal/engine"
)

func TestMain(m *testing.M) {
	if os.Getenv(vm.InsideVariable) == "" || os.Getenv(vm.ProgramVariable) == "" {
		fmt.Fprintln(os.Stderr, "integration: these tests change the kernel and run by: make integration")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// must ends the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newNetwork makes the test's own network.
func newNetwork(t *testing.T, opts lab.Options) *lab.Network {
	t.Helper()
	n, err := lab.New(opts)
	must(t, err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// newDirector makes a director that is not started; its log is shown when the test fails.
func newDirector(t *testing.T, n *lab.Network, box *lab.Namespace, config string) *lab.Director {
	t.Helper()
	d, err := n.NewDirector(box)
	must(t, err)
	must(t, d.Configure(config))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", d.Node, lastLines(d.Log(), 80))
			if out, err := d.Command("status"); err == nil {
				t.Logf("status of %s:\n%s", d.Node, out)
			}
		}
	})
	return d
}

// startDirector starts a director and waits until it has applied its configuration.
func startDirector(t *testing.T, n *lab.Network, box *lab.Namespace, config string) *lab.Director {
	t.Helper()
	d := newDirector(t, n, box, config)
	must(t, d.Start())
	awaitReady(t, d)
	return d
}

func awaitReady(t *testing.T, d *lab.Director) {
	t.Helper()
	must(t, lab.Await(30*time.Second, func() error {
		select {
		case <-d.Done():
			t.Fatalf("director of %s has ended with status %d:\n%s", d.Node, d.ExitCode(), lastLines(d.Log(), 40))
		default:
		}
		status, err := d.Status()
		if err == nil && !status.Kernel.InSync {
			err = fmt.Errorf("%s is not in sync with the kernel: %s", d.Node, status.Kernel.LastError)
		}
		return err
	}))
}

// handOver has a master hand over, and waits until another has been master of each
// of the groups since, however soon it was preempted again.
func handOver(t *testing.T, from, to *lab.Director, groups ...string) {
	t.Helper()
	masteries := func(group string) (n int, err error) {
		events, err := to.Events(engine.KindRole)
		for _, e := range events {
			if e.Group == group && e.To == "MASTER" {
				n++
			}
		}
		return n, err
	}
	before := make([]int, len(groups))
	for i, group := range groups {
		var err error
		before[i], err = masteries(group)
		must(t, err)
	}
	must(t, from.Failover())
	must(t, lab.Await(10*time.Second, func() error {
		for i, group := range groups {
			if n, err := masteries(group); err != nil || n == before[i] {
				return fmt.Errorf("%s has not become master of group %s (%v)", to.Node, group, err)
			}
		}
		return nil
	}))
}

// servers starts a healthy web server on port 80 of each real server.
func servers(t *testing.T, n *lab.Network) []*lab.Server {
	t.Helper()
	var list []*lab.Server
	for _, box := range n.Servers {
		s, err := lab.NewServer(box, 80)
		must(t, err)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		list = append(list, s)
	}
	return list
}

// echoes starts an echo on port 7 of each real server.
func echoes(t *testing.T, n *lab.Network) {
	t.Helper()
	for _, box := range n.Servers {
		e, err := lab.NewEcho(box, 7)
		must(t, err)
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// at returns the address and port of the first virtual address.
func at(port uint16) netip.AddrPort { return netip.AddrPortFrom(lab.VIP(0), port) }

// group is what a test says about the VRRP group of a director.
type group struct {
	priority int
	interval time.Duration
	lease    time.Duration // zero: the default
	sync     bool          // connection synchronisation on eth1
	inside   bool          // moves the real servers' gateway, too
	more     string        // further lines of the group
}

// String returns the group as configuration: "front", and with inside "inside"
// in a sync group with it.
func (g group) String() string {
	var b strings.Builder
	block := func(name, link string, id int, address netip.Prefix, more string) {
		fmt.Fprintf(&b, "vrrp %q {\n  interface = %q\n  virtual_router_id = %d\n  priority = %d\n  advertise_interval = %q\n  addresses = [%q]\n",
			name, link, id, g.priority, g.interval.String(), address.String())
		if g.lease > 0 {
			fmt.Fprintf(&b, "  address_lease = %q\n", g.lease.String())
		}
		b.WriteString(more + "}\n")
	}
	more := g.more
	if g.sync {
		more += "  connection_sync { interface = \"eth1\" }\n"
	}
	block("front", "eth0", 51, netip.PrefixFrom(lab.VIP(0), 24), more)
	if g.inside {
		block("inside", "eth1", 52, netip.PrefixFrom(lab.InsideVIP, 24), "")
		b.WriteString("vrrp_sync_group \"pair\" {\n  groups = [\"front\", \"inside\"]\n}\n")
	}
	return b.String()
}

// masterDown is how long a backup of priority 100 waits for a master: RFC 9568,
// section 6.1, Master_Down_Interval = 3 × Advertisement_Interval + Skew_Time.
func masterDown(interval time.Duration) time.Duration { return 3*interval + skew(interval) }

// skew is Skew_Time of a backup of priority 100: (256 - priority) × interval / 256.
func skew(interval time.Duration) time.Duration { return interval * (256 - 100) / 256 }

// contains returns an error unless the text has all the words.
func contains(text string, words ...string) error {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return fmt.Errorf("no %q in:\n%s", w, text)
		}
	}
	return nil
}

// lastLines returns the end of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// awaitRow waits until exactly one row of a box's table has the words, or with
// absent none.
func awaitRow(t *testing.T, box *lab.Namespace, absent bool, words ...string) {
	t.Helper()
	must(t, lab.Await(10*time.Second, func() error {
		row, err := box.Row(words...)
		if err == nil && (row == "") != absent {
			err = fmt.Errorf("row with %q is %q", words, row)
		}
		return err
	}))
}

// awaitSync waits until the connection-sync daemons of a box are as wanted.
func awaitSync(t *testing.T, box *lab.Namespace, want string) {
	t.Helper()
	must(t, lab.Await(5*time.Second, func() error {
		got, err := box.SyncDaemon()
		if err == nil && got != want {
			err = fmt.Errorf("sync daemons of %s are %q, want %q", box.Name, got, want)
		}
		return err
	}))
}
