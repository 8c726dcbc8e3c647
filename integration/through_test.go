//go:build integration

package integration

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// throughPools are virtual servers whose real servers are checked both directly
// and through forwarding, by each way of forwarding. What asks through forwarding
// wants the answer of the one real server.
var throughPools = []struct {
	name    string
	virtual netip.AddrPort
	how     string
	real    func(i int) netip.Addr // real server i, counted from 1
}{
	{"nat", at(80), `forward = "nat"`, lab.ServerAddr},
	{"nat6", vip6(2, 80), `forward = "nat"`, lab.ServerAddrV6},
	{"dr", vip(1, 80), `forward = "dr"`, lab.ServerFrontAddr},
	{"dr6", vip6(3, 80), `forward = "dr"`, func(i int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("fd00:a::%x", 20+i))
	}},
	{"udp", vip(1, 9), "forward = \"dr\"\n  protocol = \"udp\"", lab.ServerFrontAddr},
	{"ipip", vip(2, 80), `forward = "tun"`, lab.ServerAddr},
	{"ipip6", vip6(1, 80), `forward = "tun"`, lab.ServerAddrV6},
	{"gre", vip(3, 80), "forward = \"tun\"\n  tunnel \"gre\" {}", lab.ServerAddr},
	// Director marks what goes to the address, and must not mark what its checks do.
	{"marked", at(81), "fwmark = 8", lab.ServerAddr},
	{"gue", vip(5, 80), "forward = \"tun\"\n  tunnel \"gue\" { port = 6080 }", lab.ServerAddr},
}

const throughSchedule = "\n      interval = \"200ms\"\n      timeout = \"500ms\"\n      rise = 1\n      fall = 2\n    }\n"

// throughConfig has the pools with so many real servers, and two groups.
func throughConfig(priority, servers int) string {
	var b strings.Builder
	b.WriteString("ipvs {\n  resync = \"500ms\"\n  sysctl { accept_local = true }\n}\n")
	for id, list := range [][]string{{"10.0.0.100/24", "10.0.0.101/24", "10.0.0.102/24", "10.0.0.103/24", "10.0.0.105/24"},
		{"fd00:a::65/64", "fd00:a::66/64", "fd00:a::67/64"}} {
		fmt.Fprintf(&b, "vrrp \"group%d\" {\n  interface = \"eth0\"\n  virtual_router_id = %d\n  priority = %d\n  advertise_interval = \"200ms\"\n  preempt = false\n  addresses = [\"%s\"]\n}\n",
			id, 61+id, priority, strings.Join(list, `", "`))
	}
	for _, p := range throughPools {
		fmt.Fprintf(&b, "virtual_server %q {\n  address = %q\n  %s\n", p.name, p.virtual, p.how)
		for i := 1; i <= servers; i++ {
			kind, asks, expect, direct := "http", `path = "/"`, "expect_body", `check "tcp" {`
			if p.name == "udp" {
				kind, asks, expect, direct = "udp", `send = "who"`, "expect", "check \"icmp\" {"
			}
			real := p.real(i).String()
			if p.name == "marked" {
				real += ":80"
			}
			fmt.Fprintf(&b, "  real_server %q {\n    %s%s    check %q {\n      %s\n      %s = \"rs%d\"\n      through = \"forwarding\"%s  }\n",
				real, direct, throughSchedule, kind, asks, expect, i, throughSchedule)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// seen returns the states of the checks of a virtual server as a director has
// them, one word for each real server: "up/up" is direct and through forwarding.
func seen(d *lab.Director, virtual string) (states, reasons string, err error) {
	status, err := d.Status()
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(status.VirtualServers, func(v *engine.ServiceStatus) bool { return v.Name == virtual })
	if i < 0 {
		return "", "", fmt.Errorf("no virtual server %s", virtual)
	}
	var all []string
	for _, r := range status.VirtualServers[i].Reals {
		states := r.Checks[0].State + "/" + r.Checks[1].State
		if (states == "up/up") != (r.State == "up") {
			states += ", but " + r.State // the engine has not heard of it yet
		}
		all = append(all, states)
		reasons += r.Checks[0].Reason + "|" + r.Checks[1].Reason + "\n"
	}
	return strings.Join(all, " "), reasons, nil
}

// awaitSeen waits until a director sees a virtual server so, and returns the reasons.
func awaitSeen(t *testing.T, d *lab.Director, virtual, want string) (reasons string) {
	t.Helper()
	must(t, lab.Await(20*time.Second, func() error {
		states, why, err := seen(d, virtual)
		if err == nil && states != want {
			err = fmt.Errorf("%s sees %s as %q, want %q: %s", d.Node, virtual, states, want, why)
		}
		reasons = why
		return err
	}))
	return reasons
}

// probeRows returns the rows of the ways of checks, as ipvsadm -Sn has them.
func probeRows(t *testing.T, box *lab.Namespace) []string {
	t.Helper()
	table, err := box.Table()
	must(t, err)
	return slices.DeleteFunc(table, func(row string) bool { return !strings.Contains(row, "-f 2181") })
}

// TestThrough checks real servers through forwarding, on a master and on its
// backup, and across a failover.
func TestThrough(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 2, Front: true})
	for i, rs := range n.Servers {
		for _, args := range []string{
			"--vip 10.0.0.101,fd00:a::67", "--vip 10.0.0.102,fd00:a::65 --mode tun", "--vip 10.0.0.103 --mode gre", "--vip 10.0.0.105 --mode gue --gue-port 6080",
		} {
			_, err := realserver(t, rs, "up "+args)
			must(t, err)
		}
		t.Logf("rs%d is %s", i+1, rs.Name)
	}
	servers(t, n)
	for _, rs := range n.Servers {
		naming(t, rs, vip(1, 9))
	}

	a := startDirector(t, n, n.A, throughConfig(200, 2))
	must(t, errors.Join(a.AwaitGroup("group0", "MASTER", 10*time.Second), a.AwaitGroup("group1", "MASTER", 10*time.Second)))
	b := startDirector(t, n, n.B, throughConfig(100, 2))
	both := []*lab.Director{a, b}
	must(t, errors.Join(b.AwaitGroup("group0", "BACKUP", 10*time.Second), b.AwaitGroup("group1", "BACKUP", 10*time.Second)))
	for _, d := range both {
		for _, p := range throughPools {
			awaitSeen(t, d, p.name, "up/up up/up")
		}
	}

	rs := n.Servers[0]
	for _, harm := range []struct {
		name       string
		do, undo   string
		fails      []string
		words      string
		stillThere []string
	}{
		{"no address on lo", "ip address del 10.0.0.101/32 dev lo", "ip address add 10.0.0.101/32 dev lo",
			[]string{"dr", "udp"}, "has the server the virtual address on its loopback", []string{"dr6", "nat"}},
		{"no IPv6 address on lo", "ip address del fd00:a::67/128 dev lo", "ip address add fd00:a::67/128 dev lo nodad",
			[]string{"dr6"}, "has the server the virtual address on its loopback", []string{"dr", "ipip6"}},
		{"no ipip", "ip link set tunl0 down", "ip link set tunl0 up", []string{"ipip", "gue"}, "has the server the tunnel's device", []string{"gre", "dr"}},
		{"no gre", "ip link set gre0 down", "ip link set gre0 up", []string{"gre"}, "has the server the tunnel's device", []string{"ipip", "gue"}},
	} {
		t.Run(harm.name, func(t *testing.T) {
			_, err := rs.Run(strings.Fields(harm.do)...)
			must(t, err)
			for _, d := range both {
				for _, name := range harm.fails {
					reasons := awaitSeen(t, d, name, "up/down up/up")
					must(t, contains(reasons, harm.words))
				}
				for _, name := range harm.stillThere {
					awaitSeen(t, d, name, "up/up up/up")
				}
			}
			_, err = rs.Run(strings.Fields(harm.undo)...)
			must(t, err)
			for _, d := range both {
				for _, name := range harm.fails {
					awaitSeen(t, d, name, "up/up up/up")
				}
			}
		})
	}

	t.Run("failover", func(t *testing.T) {
		before, err := b.Events(engine.KindReal)
		must(t, err)
		handOver(t, a, b, "group0", "group1")
		started := probesOf(t, b)
		must(t, lab.Await(20*time.Second, func() error { // several probes of each on the new master
			if now := probesOf(t, b); now.Before(started.Add(3 * time.Second)) {
				return fmt.Errorf("the last probe was at %v", now)
			}
			return nil
		}))
		after, err := b.Events(engine.KindReal)
		must(t, err)
		if len(after) != len(before) {
			t.Errorf("the new master thinks otherwise of real servers: %v", after[len(before):])
		}
	})

	t.Run("rows", func(t *testing.T) {
		rows := probeRows(t, n.B)
		// Two real servers, by nat and dr of both families, four tunnels; udp goes as dr, marked as nat.
		if services := len(slices.DeleteFunc(slices.Clone(rows), func(r string) bool { return !strings.HasPrefix(r, "-A") })); services != 16 {
			t.Errorf("there are %d services for checks, want 16:\n%s", services, strings.Join(rows, "\n"))
		}
		must(t, b.Configure(throughConfig(100, 1)))
		plan, err := b.Plan()
		must(t, err)
		if got := strings.Count(plan, "-D -f"); got != 8 {
			t.Errorf("the plan removes %d services of checks, want 8:\n%s", got, plan)
		}
		must(t, b.Reload())
		fewer := probeRows(t, n.B)
		if len(fewer) != len(rows)/2 || slices.ContainsFunc(fewer, func(r string) bool { return !slices.Contains(rows, r) }) {
			t.Errorf("with one real server instead of two the rows are\n%s\nthey were\n%s", strings.Join(fewer, "\n"), strings.Join(rows, "\n"))
		}
		must(t, b.Configure(throughConfig(100, 2)))
		must(t, b.Reload())
		again := probeRows(t, n.B)
		if len(again) != len(rows) || slices.ContainsFunc(fewer, func(r string) bool { return !slices.Contains(again, r) }) {
			t.Errorf("after another reload marks have changed:\n%s\nthey were\n%s", strings.Join(again, "\n"), strings.Join(fewer, "\n"))
		}
		for _, p := range throughPools {
			awaitSeen(t, b, p.name, "up/up up/up")
		}
		_, err = n.B.Run("ipvsadm", "-D", "-f", strings.Fields(again[0])[2])
		must(t, err)
		must(t, lab.Await(10*time.Second, func() error {
			if got := probeRows(t, n.B); !slices.Equal(got, again) {
				return fmt.Errorf("the row that was deleted is not there again: %v", got)
			}
			return nil
		}))
	})

	t.Run("restart and stop", func(t *testing.T) {
		rows := probeRows(t, n.B)
		must(t, b.Signal(syscall.SIGKILL))
		must(t, b.Wait(10*time.Second))
		must(t, b.Start())
		awaitReady(t, b)
		if got := probeRows(t, n.B); !slices.Equal(got, rows) {
			t.Errorf("after a crash the rows are\n%s\nthey were\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
		}
		must(t, b.Signal(syscall.SIGTERM))
		must(t, b.Wait(10*time.Second))
		if got := probeRows(t, n.B); len(got) != 0 {
			t.Errorf("after the stop there are still %v", got)
		}
	})
}

// TestThroughSorry checks a sorry server, which serves, through forwarding.
func TestThroughSorry(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1, Front: true})
	rs := n.Servers[0]
	_, err := realserver(t, rs, "up --vip 10.0.0.101")
	must(t, err)
	servers(t, n)
	d := startDirector(t, n, n.A, fmt.Sprintf(`ipvs {
  sysctl { accept_local = true }
}
virtual_server "web" {
  address = %q
  forward = "dr"
  real_server "10.0.0.199" { # nobody
    check "tcp" {%s  }
  sorry_server %q {
    check "http" {
      expect_body = "rs1"
      through = "forwarding"%s  }
}
`, vip(1, 80), throughSchedule, lab.ServerFrontAddr(1).String(), throughSchedule))
	await := func(want, why string) {
		t.Helper()
		must(t, lab.Await(20*time.Second, func() error {
			status, err := d.Status()
			if err != nil {
				return err
			}
			v := status.VirtualServers[0]
			if s := v.Sorry; s == nil || !v.SorryInUse && want == "up" || s.State != want || !strings.Contains(s.Reason, why) {
				return fmt.Errorf("the sorry server is %+v, in use %v, want %s: %s", s, v.SorryInUse, want, why)
			}
			return nil
		}))
	}
	await("up", "")
	if rows := probeRows(t, n.A); len(rows) != 2 {
		t.Errorf("the way of the check is %q, want a service and a destination", rows)
	}
	_, err = rs.Run("ip", "address", "del", "10.0.0.101/32", "dev", "lo")
	must(t, err)
	await("down", "has the server the virtual address on its loopback")
	_, err = rs.Run("ip", "address", "add", "10.0.0.101/32", "dev", "lo")
	must(t, err)
	await("up", "")
}

// naming answers every datagram to an address of a box with the box's name.
func naming(t *testing.T, box *lab.Namespace, addr netip.AddrPort) {
	t.Helper()
	var conn net.PacketConn
	must(t, box.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", addr.String())
		return err
	}))
	ended := make(chan struct{})
	t.Cleanup(func() {
		must(t, conn.Close())
		<-ended
	})
	go func() {
		defer close(ended)
		for question := make([]byte, 64); ; {
			_, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(box.Name), from) // who asked is told by its own time-out
		}
	}()
}

// probesOf returns the time of the oldest of the last probes of all checks.
func probesOf(t *testing.T, d *lab.Director) time.Time {
	t.Helper()
	status, err := d.Status()
	must(t, err)
	oldest := time.Now()
	for _, v := range status.VirtualServers {
		for _, r := range v.Reals {
			for _, c := range r.Checks {
				if c.LastAt.Before(oldest) {
					oldest = c.LastAt
				}
			}
		}
	}
	return oldest
}
