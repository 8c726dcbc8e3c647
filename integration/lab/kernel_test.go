//go:build integration

package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These tests prove the helpers on tools that are known to work: ipvsadm and
// keepalived. What they measure of Director can be trusted as far as that.

func newTestNetwork(t *testing.T, opts Options) *Network {
	t.Helper()
	n, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSharesAndTableByIpvsadm(t *testing.T) {
	n := newTestNetwork(t, Options{Servers: 3})
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(VIP(0), 32)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(InsideVIP, 32)))
	monitor, err := n.A.Watch()
	must(t, err)
	started := time.Now()
	_, err = n.A.Run("ipvsadm", "-A", "-t", "10.0.0.100:80", "-s", "wrr")
	must(t, err)
	for i := 1; i <= 3; i++ {
		server, err := NewServer(n.Servers[i-1], 80)
		must(t, err)
		t.Cleanup(func() { server.Close() })
		_, err = n.A.Run("ipvsadm", "-a", "-t", "10.0.0.100:80", "-r", fmt.Sprintf("10.3.0.%d", 10+i), "-m", "-w", fmt.Sprint(i))
		must(t, err)
	}
	names, err := n.Client.GetAll(t.Context(), netip.AddrPortFrom(VIP(0), 80), 60)
	must(t, err)
	if diff := cmp.Diff(map[string]int{"rs1": 10, "rs2": 20, "rs3": 30}, Shares(names)); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	table, err := n.A.Table()
	must(t, err)
	want := []string{
		"-A -t 10.0.0.100:80 -s wrr",
		"-a -t 10.0.0.100:80 -r 10.3.0.11:80 -m -w 1",
		"-a -t 10.0.0.100:80 -r 10.3.0.12:80 -m -w 2",
		"-a -t 10.0.0.100:80 -r 10.3.0.13:80 -m -w 3",
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	must(t, monitor.Close())
	if diff := cmp.Diff(map[string]int{"NEW_SERVICE": 1, "NEW_DEST": 3}, monitor.Count(started)); diff != "" {
		t.Errorf("changes seen (-want +got):\n%s", diff)
	}
}

func TestServerModes(t *testing.T) {
	n := newTestNetwork(t, Options{Servers: 1})
	server, err := NewServer(n.Servers[0], 80)
	must(t, err)
	defer server.Close()
	addr := netip.AddrPortFrom(ServerAddr(1), 80)
	tests := []struct {
		mode Mode
		want string // in the error
	}{
		{Healthy, ""}, {Broken, "503"}, {Hanging, "deadline exceeded"}, {Dripping, "deadline exceeded"},
		{Refusing, "refused"}, {Healthy, ""},
	}
	for _, tt := range tests {
		must(t, server.Set(tt.mode))
		got, err := n.A.Get(t.Context(), addr, 500*time.Millisecond)
		if tt.want == "" && (err != nil || got != "rs1") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("mode %d: answer %q, %v; want error with %q", tt.mode, got, err, tt.want)
		}
	}
}

func TestCables(t *testing.T) {
	n := newTestNetwork(t, Options{})
	ping := func(from *Namespace, to string, works bool) {
		t.Helper()
		probe, err := from.Ping(netip.MustParseAddr(to), 5*time.Millisecond)
		must(t, err)
		defer probe.Stop()
		limit := 10 * time.Second
		if !works {
			limit = 300 * time.Millisecond
		}
		err = Await(limit, func() error {
			if who, _ := probe.Last(); who == "" {
				return fmt.Errorf("no answer")
			}
			return nil
		})
		if works != (err == nil) {
			t.Errorf("ping %s from %s: %v, want answers: %v", to, from.Name, err, works)
		}
	}
	ping(n.Client, "10.0.0.1", true)
	ping(n.A, "10.0.0.2", true)
	must(t, n.Isolate(true))
	ping(n.A, "10.0.0.2", false)
	ping(n.Client, "10.0.0.1", true)
	ping(n.Client, "10.0.0.2", true)
	must(t, n.Isolate(false))
	ping(n.A, "10.0.0.2", true)
	must(t, n.Pull(n.A, "eth0"))
	ping(n.Client, "10.0.0.1", false)
	must(t, n.Plug(n.A, "eth0"))
	ping(n.Client, "10.0.0.1", true)
}

func TestFailoverOfKeepalived(t *testing.T) {
	n := newTestNetwork(t, Options{})
	config := `global_defs {
    router_id %s
}
vrrp_instance V {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.0.0.100/24
    }
}
`
	a, err := n.StartKeepalived(n.A, fmt.Sprintf(config, "A", 150))
	must(t, err)
	b, err := n.StartKeepalived(n.B, fmt.Sprintf(config, "B", 100))
	must(t, err)
	defer func() {
		if t.Failed() {
			t.Logf("A:\n%s\nB:\n%s", a.Log(), b.Log())
		}
	}()
	probe, err := n.Client.Ping(VIP(0), 5*time.Millisecond)
	must(t, err)
	defer probe.Stop()
	if _, err := probe.Await("A", time.Now(), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	// It has just become master, or the other just backup: let them agree.
	must(t, n.B.AwaitAddress(VIP(0), false, 5*time.Second))
	memory, err := a.Memory()
	if err != nil || memory.Peak < 1000 || memory.Pss < 500 {
		t.Errorf("memory %+v, %v", memory, err)
	}
	if cpu, err := a.CPU(); err != nil || cpu < time.Millisecond {
		t.Errorf("processor time %v, %v", cpu, err)
	}
	cut := time.Now()
	must(t, n.Pull(n.A, "eth0"))
	took, err := probe.Await("B", cut, 10*time.Second)
	must(t, err)
	outage := probe.Outage(cut)
	t.Logf("B answers after %v, outage %v", took, outage)
	if outage < 200*time.Millisecond || outage > time.Second {
		t.Errorf("outage %v, want about 0.36 s", outage)
	}
	macB, err := n.B.MAC("eth0")
	must(t, err)
	if seen, err := n.Client.Neighbour(VIP(0)); err != nil || seen != macB {
		t.Errorf("the client's ARP table has %s, %v; B is %s", seen, err, macB)
	}
}
