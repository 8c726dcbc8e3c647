//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/lab"
)

// TestSchedulerChangedInPlace changes the scheduler under an open connection: the
// kernel is asked for that one change, and the connection goes on.
func TestSchedulerChangedInPlace(t *testing.T) {
	config := func(lines string) string {
		return fmt.Sprintf("virtual_server \"echo\" {\n  address = \"10.0.0.100:7\"\n  %s\n  real_server \"10.3.0.11:7\" {}\n  real_server \"10.3.0.12:7\" {}\n}\n", lines)
	}
	f := newFarm(t, config(`scheduler = "rr"`))
	echoes(t, f.network)
	flow, err := f.network.Client.NewFlow(t.Context(), at(7))
	must(t, err)
	t.Cleanup(func() { flow.Close() })
	must(t, flow.Alive(10*time.Second))
	monitor, err := f.network.A.Watch()
	must(t, err)
	t.Cleanup(func() { must(t, monitor.Close()) })
	for _, step := range []struct{ lines, words string }{
		{"scheduler = \"mh\"\n  scheduler_flags = [\"mh-port\"]", "mh -b mh-fallback,mh-port"},
		{"scheduler = \"sh\"", "sh"},
		{"scheduler = \"lblcr\"", "lblcr"},
		{"scheduler = \"wlc\"\n  persistence { prefix = 24 }", "wlc -p 300 -M 255.255.255.0"},
	} {
		since := time.Now()
		must(t, f.director.Configure(config(step.lines)))
		must(t, f.director.Reload())
		awaitRow(t, f.network.A, false, append([]string{"-A", "10.0.0.100:7"}, strings.Fields(step.words)...)...)
		if diff := cmp.Diff(map[string]int{"SET_SERVICE": 1}, monitor.Count(since)); diff != "" {
			t.Errorf("%s: changes asked of the kernel (-want +got):\n%s", step.words, diff)
		}
		must(t, flow.Alive(10*time.Second))
	}
}

// TestForwardingChangedInPlace changes the way to a real server under an open
// connection, which goes on as it began; new ones take the new way.
func TestForwardingChangedInPlace(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1, Front: true})
	rs := n.Servers[0]
	echoes(t, n)
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	must(t, n.A.Sysctl("ipv4/ip_forward", "0")) // which only NAT needs
	_, err := realserver(t, rs, "up --vip 10.0.0.100 --mode tun")
	must(t, err)
	config := func(forward string) string {
		return fmt.Sprintf("virtual_server \"echo\" {\n  address = \"10.0.0.100:7\"\n  forward = %q\n  real_server \"10.0.0.21:7\" {}\n}\n", forward)
	}
	d := startDirector(t, n, n.A, config("dr"))
	flow, err := n.Client.NewFlow(t.Context(), at(7))
	must(t, err)
	t.Cleanup(func() { flow.Close() })
	must(t, flow.Alive(10*time.Second))
	monitor, err := n.A.Watch()
	must(t, err)
	t.Cleanup(func() { must(t, monitor.Close()) })

	must(t, d.Configure(config("tun")))
	must(t, d.Reload())
	awaitRow(t, n.A, false, "-a", "10.0.0.21:7", "-i")
	if diff := cmp.Diff(map[string]int{"SET_DEST": 1}, monitor.Count(time.Time{})); diff != "" {
		t.Errorf("changes asked of the kernel (-want +got):\n%s", diff)
	}
	must(t, flow.Alive(10*time.Second))
	sniffer, err := n.Sniff(rs, "eth0", "ip proto 4")
	must(t, err)
	second, err := n.Client.NewFlow(t.Context(), at(7))
	must(t, err)
	t.Cleanup(func() { second.Close() })
	packet, err := sniffer.Packet(10 * time.Second)
	must(t, err)
	// Were the first connection in the tunnel, its packets would be seen first.
	must(t, contains(packet, fmt.Sprintf("%v.%d > 10.0.0.100.7: Flags", second.Source().Addr(), second.Source().Port())))
	must(t, second.Alive(10*time.Second))
	must(t, flow.Alive(10*time.Second))
}

// TestKernelSettings sets settings of the kernel, sets them again when somebody
// else changes them, puts them back, and tells of those that contradict the rest.
func TestKernelSettings(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	names := []string{"net.ipv4.vs.conn_reuse_mode", "net.ipv4.vs.expire_nodest_conn", "net.ipv4.vs.sync_threshold", "net.ipv4.vs.sloppy_tcp"}
	values := func() string {
		out, err := n.A.Run(append([]string{"sysctl", "-n"}, names...)...)
		must(t, err)
		return strings.Join(strings.Fields(out), " ")
	}
	await := func(want string) {
		t.Helper()
		must(t, lab.Await(10*time.Second, func() error {
			if got := values(); got != want {
				return fmt.Errorf("settings are %s, want %s", got, want)
			}
			return nil
		}))
	}
	config := func(settings string) string {
		return "ipvs {\n  resync = \"200ms\"\n  sysctl {\n    on_stop = \"restore\"\n    " + settings + "\n  }\n}\n" +
			"virtual_server \"web\" {\n  address = \"10.0.0.100:80\"\n  scheduler = \"mh\"\n  real_server \"10.3.0.11:80\" {}\n}\n" +
			group{priority: 150, interval: time.Second}.String()
	}
	_, err := n.A.Run("ipvsadm", "-Ln") // the module makes the settings
	must(t, err)
	before := values()
	must(t, n.A.Sysctl("ipv4/ip_forward", "0"))
	d := startDirector(t, n, n.A, config("conn_reuse_mode = 0\n    expire_nodest_conn = true\n    sync_threshold = [4, 60]"))
	must(t, contains(d.Log(), "net.ipv4.ip_forward is 0", "net.ipv4.vs.sloppy_tcp is 0"))
	await("0 1 4 60 0")

	must(t, n.A.Sysctl("ipv4/vs/conn_reuse_mode", "2"))
	await("0 1 4 60 0")
	out, err := d.Command("tail", "-n", "0", "--kind", "drift")
	must(t, err)
	must(t, contains(out, "net.ipv4.vs.conn_reuse_mode"))

	must(t, d.Configure(config("conn_reuse_mode = 0\n    sloppy_tcp = true")))
	must(t, d.Reload())
	await("0 0 3 50 1")

	must(t, d.Signal(syscall.SIGTERM))
	must(t, d.Wait(20*time.Second))
	if got := values(); got != before {
		t.Errorf("after the stop: %s, before: %s", got, before)
	}
}
