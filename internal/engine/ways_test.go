package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// wanting returns ways that each ask some addresses: "a 1 2" is the way a, on
// which the addresses 1 and 2 are asked.
func wanting(lines ...string) map[string][]*conf.Way {
	wanted := make(map[string][]*conf.Way)
	for _, line := range lines {
		words := strings.Fields(line)
		for _, asks := range words[1:] {
			var last byte
			fmt.Sscan(asks, &last)
			w := &conf.Way{Name: words[0], Asks: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 80)}
			wanted[w.Name] = append(wanted[w.Name], w)
		}
	}
	return wanted
}

func TestNumberWays(t *testing.T) {
	type numbers = map[string]uint32
	tests := []struct {
		name string
		had  wayNumbers
		ways []string
		want wayNumbers
	}{
		{"nothing", wayNumbers{}, nil, wayNumbers{0, numbers{}}},
		{"in order of the names", wayNumbers{}, []string{"b 1", "a 1"}, wayNumbers{2, numbers{"a": 0, "b": 1}}},
		{"kept, and a free number rests", wayNumbers{3, numbers{"a": 0, "b": 1, "c": 2}}, []string{"b 1", "d 1"}, wayNumbers{4, numbers{"b": 1, "d": 3}}},
		{"begins anew at the end", wayNumbers{conf.WayMarks - 1, numbers{"a": 0}}, []string{"a 1", "b 1", "c 1"},
			wayNumbers{2, numbers{"a": 0, "b": conf.WayMarks - 1, "c": 1}}},
		{"ports of another that asks the same", wayNumbers{conf.WaySlots, numbers{"a": 0}}, []string{"a 1", "b 1"},
			wayNumbers{conf.WaySlots + 2, numbers{"a": 0, "b": conf.WaySlots + 1}}},
		{"ports of another that asks something else", wayNumbers{conf.WaySlots, numbers{"a": 0}}, []string{"a 1", "b 2"},
			wayNumbers{conf.WaySlots + 1, numbers{"a": 0, "b": conf.WaySlots}}},
		{"an old one comes to ask the same", wayNumbers{conf.WaySlots + 1, numbers{"a": 0, "b": conf.WaySlots}}, []string{"a 1", "b 1 2"},
			wayNumbers{conf.WaySlots + 2, numbers{"a": 0, "b": conf.WaySlots + 1}}},
		{"a damaged file", wayNumbers{7, numbers{"a": conf.WayMarks, "b": 1, "c": 1}}, []string{"a 1", "b 2", "c 3"},
			wayNumbers{9, numbers{"a": 7, "b": 1, "c": 8}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, without := numberWays(tt.had, wanting(tt.ways...))
			if diff := cmp.Diff(tt.want, got); diff != "" || len(without) > 0 {
				t.Errorf("(-want +got):\n%s\nwithout a number: %v", diff, without)
			}
			again, _ := numberWays(got, wanting(tt.ways...))
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("a second time (-first +second):\n%s", diff)
			}
		})
	}

	t.Run("too many", func(t *testing.T) {
		var ways []string
		for i := range conf.WaySlots + 1 {
			ways = append(ways, fmt.Sprintf("%04d 1", i))
		}
		if got, without := numberWays(wayNumbers{}, wanting(ways...)); len(got.Ways) != conf.WaySlots || len(without) != 1 {
			t.Errorf("of %d ways to ask one address %d have numbers and %d have none", len(ways), len(got.Ways), len(without))
		}
	})
}

// TestNumberWaysAtRandom changes configurations at random: no two ways share a
// mark, none that ask the same share ports, and none changes its mark.
func TestNumberWaysAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var numbers wayNumbers
	for range 300 {
		var ways []string
		for i := range 60 {
			if random.IntN(3) > 0 {
				ways = append(ways, fmt.Sprintf("%d %d", i, i%5))
			}
		}
		next, without := numberWays(numbers, wanting(ways...))
		if len(next.Ways) != len(ways) || len(without) > 0 {
			t.Fatalf("%d ways have %d numbers", len(ways), len(next.Ways))
		}
		marks, places := map[uint32]bool{}, map[string]bool{}
		for _, way := range ways {
			name, asks, _ := strings.Cut(way, " ")
			n := next.Ways[name]
			place := fmt.Sprintf("%s, ports %d", asks, slot(n))
			if marks[n] || places[place] {
				t.Fatalf("number %d of way %s is given twice, or its ports are", n, name)
			}
			marks[n], places[place] = true, true
			if old, ok := numbers.Ways[name]; ok && old != n {
				t.Fatalf("way %s had the number %d and gets %d", name, old, n)
			}
		}
		numbers = next
	}
}

func TestPlanWays(t *testing.T) {
	dr := conf.Way{Name: "dr", Family: ipvsctl.IPv4, Destination: ipvsctl.Destination{Addr: netip.MustParseAddrPort("10.0.0.1:0"), Forward: ipvsctl.DR, Weight: 1}}
	tun := conf.Way{Name: "tun", Family: ipvsctl.IPv6, Destination: ipvsctl.Destination{Addr: netip.MustParseAddrPort("10.0.0.1:0"), Forward: ipvsctl.TUN, Weight: 1}}
	services, open := planWays(1000, wayNumbers{Ways: map[string]uint32{"tun": conf.WaySlots - 1, "dr": 1}}, map[string][]*conf.Way{"dr": {&dr}, "tun": {&tun}})
	want := []ipvsctl.Service{
		{ID: ipvsctl.ServiceID{FWMark: 1001, Family: ipvsctl.IPv4}, Scheduler: "rr", Destinations: []ipvsctl.Destination{dr.Destination}},
		{ID: ipvsctl.ServiceID{FWMark: 1000 + conf.WaySlots - 1, Family: ipvsctl.IPv6}, Scheduler: "rr", Destinations: []ipvsctl.Destination{tun.Destination}},
	}
	if diff := cmp.Diff(want, services, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if w := open["dr"]; w.Mark != 1001 || w.FirstPort != conf.FirstWayPort+conf.WayPorts {
		t.Errorf("the way is %+v", w)
	}
	if w := open["tun"]; uint32(w.FirstPort)+uint32(w.Ports) > 61000 {
		t.Errorf("the last way has ports to %d, which Linux gives to nobody by default", w.FirstPort+w.Ports-1)
	}
}

// wayProbe is a scripted probe that goes a way.
type wayProbe struct {
	probe
	Route checks.Route
}

func (p wayProbe) Key() string { return p.addr + " through " + p.Route.Through }

// through gives the real servers of a pool one more check, which goes through forwarding.
func (w *world) through(vs *conf.VirtualServer) *conf.VirtualServer {
	for i := range vs.Reals {
		d := vs.Reals[i].Destination
		d.Weight = 1
		way := &conf.Way{Name: "ipv4 nat " + d.Addr.String(), Family: ipvsctl.IPv4, Destination: d, Asks: vs.Services[0].ID.Addr}
		m := checks.Monitor{Probe: wayProbe{probe{w.servers, d.Addr.Addr().String()}, checks.Route{Through: way.Name}},
			Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
		vs.Reals[i].Checks = []conf.Check{{Name: "through", Monitor: m, Key: m.Key(), Way: way}}
	}
	return vs
}

// probeRows are the services for checks in the kernel: "1000 to 10.0.0.1:80".
func (w *world) probeRows() (rows []string) {
	w.t.Helper()
	have, err := w.kernel.Dump()
	if err != nil {
		w.t.Fatal(err)
	}
	for id, s := range have.Services {
		if id.FWMark != 0 {
			rows = append(rows, fmt.Sprintf("%d to %v", id.FWMark, s.Destinations[0].Addr))
		}
	}
	slices.Sort(rows)
	return rows
}

func TestWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.IPVS.ProbeMarks, w.config.IPVS.OnStop = 1000, conf.StopKeep
		w.config.VirtualServers = []*conf.VirtualServer{w.through(pool(2))}
		w.openErr = errors.New("no IPVS yet")
		w.start()
		time.Sleep(10 * time.Second)
		if got := w.engine.Status().VirtualServers[0].Reals[0].State; got != "unknown" {
			t.Errorf("before the kernel has a row for its checks a real server is %s", got)
		}
		w.openLater()
		time.Sleep(10 * time.Second)
		if got := w.engine.Status().VirtualServers[0].Reals[0]; got.State != "up" || got.Checks[0].Through != "ipv4 nat 10.0.0.1:80" {
			t.Errorf("with rows for checks a real server is %s, its check %+v", got.State, got.Checks[0])
		}
		both := []string{"1000 to 10.0.0.1:80", "1001 to 10.0.0.2:80"}
		if diff := cmp.Diff(both, w.probeRows()); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}

		// The other keeps its mark, and who comes back gets one that has rested.
		less := w.through(pool(2))
		less.Reals = less.Reals[1:]
		for _, step := range []struct {
			vs   *conf.VirtualServer
			want []string
		}{{less, both[1:]}, {w.through(pool(2)), []string{"1001 to 10.0.0.2:80", "1002 to 10.0.0.1:80"}}} {
			config := *w.config
			config.VirtualServers = []*conf.VirtualServer{step.vs}
			w.config = &config
			have, err := w.kernel.Dump()
			if err != nil {
				t.Fatal(err)
			}
			ops, err := Preview(w.config, have, w.engine.Status(), zaptest.NewLogger(t))
			if err != nil || !slices.ContainsFunc(ops, func(op ipvsctl.Op) bool { return strings.Contains(op.String(), "-f 100") }) {
				t.Errorf("the plan does not tell of the rows for checks: %v, %v", ops, err)
			}
			if err := w.engine.Reload(context.Background()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, w.probeRows()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		}
		want := w.probeRows()

		// Without its row a probe fails, and the server is not to blame.
		time.Sleep(time.Second)
		before := w.engine.Status()
		w.servers.set("10.0.0.2", "connection refused")
		if err := w.kernel.Do([]ipvsctl.Op{{Kind: ipvsctl.DeleteService, Service: ipvsctl.Service{ID: ipvsctl.ServiceID{FWMark: 1001, Family: ipvsctl.IPv4}}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1200 * time.Millisecond)
		w.servers.set("10.0.0.2", "")
		if diff := cmp.Diff(want, w.probeRows()); diff != "" {
			t.Errorf("after somebody removed a row (-want +got):\n%s", diff)
		}
		time.Sleep(3 * time.Second)
		after := w.engine.Status()
		for i, r := range after.VirtualServers[0].Reals {
			if r.State != "up" || r.Since != before.VirtualServers[0].Reals[i].Since {
				t.Errorf("real server %s is %s since its row was gone: %s", r.Address, r.State, r.Reason)
			}
		}
		if after.Kernel.Repairs != before.Kernel.Repairs+2 { // service and destination
			t.Errorf("%d rows were repaired", after.Kernel.Repairs-before.Kernel.Repairs)
		}
		w.servers.set("10.0.0.2", "connection refused")
		time.Sleep(2 * time.Second)
		if got := w.engine.Status().VirtualServers[0].Reals[1].State; got != "down" {
			t.Errorf("a real server that does not answer on its way is %s", got)
		}
		w.servers.set("10.0.0.2", "")

		// A successor takes over marks and rows.
		w.stop(ErrLeave)
		if got := ProbeWays(w.config, zap.NewNop())["ipv4 nat 10.0.0.1:80"].Mark; got != 1002 {
			t.Errorf("a command that asks takes the mark %d, want 1002", got)
		}
		w.start()
		if diff := cmp.Diff(want, w.probeRows()); diff != "" {
			t.Errorf("a successor's rows (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
		if got := w.probeRows(); len(got) > 0 {
			t.Errorf("after the stop there are still %v", got)
		}
		have, err := w.kernel.Dump()
		if err != nil || len(have.Services) != 1 {
			t.Errorf("on_stop = keep has left %d services (%v)", len(have.Services), err)
		}
	})
}

// A row that the kernel refuses keeps no check from starting whose own row it has,
// and none from being told from a server that fails.
func TestWaysBesideARefusedRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.IPVS.ProbeMarks = 1000
		other := pool(1, mh)
		other.Name, other.Services[0].ID.Addr = "other", netip.MustParseAddrPort("192.0.2.2:80")
		w.kernel.RemoveScheduler("mh")
		w.config.VirtualServers = []*conf.VirtualServer{w.through(pool(2)), other}
		w.start()
		up := func(n int) {
			t.Helper()
			time.Sleep(2 * time.Second)
			for _, r := range w.engine.Status().VirtualServers[0].Reals[:n] {
				if r.State != "up" {
					t.Errorf("real server %s is %s, with a row for its checks", r.Address, r.State)
				}
			}
		}
		up(2)
		time.Sleep(time.Minute) // the refused row is tried seldom by now
		w.reload(w.through(pool(3)), other)
		up(3)
		if w.engine.Status().Kernel.InSync {
			t.Error("the kernel has taken all")
		}

		before, removed := w.engine.Status().VirtualServers[0].Reals[1].Since, time.Now()
		w.servers.set("10.0.0.2", "connection refused")
		if err := w.kernel.Do([]ipvsctl.Op{{Kind: ipvsctl.DeleteService, Service: ipvsctl.Service{ID: ipvsctl.ServiceID{FWMark: 1001, Family: ipvsctl.IPv4}}}}); err != nil {
			t.Fatal(err)
		}
		for len(w.probeRows()) < 3 && time.Since(removed) < 2*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		w.servers.set("10.0.0.2", "")
		want := []string{"1000 to 10.0.0.1:80", "1001 to 10.0.0.2:80", "1002 to 10.0.0.3:80"}
		if diff := cmp.Diff(want, w.probeRows()); diff != "" {
			t.Errorf("after somebody removed a row (-want +got):\n%s", diff)
		}
		up(3)
		if got := w.engine.Status().VirtualServers[0].Reals[1]; got.Since != before {
			t.Errorf("real server %s is %s since its row was gone: %s", got.Address, got.State, got.Reason)
		}
		w.stop(errSignal)
	})
}

// A way whose own row is refused stays closed, whatever is reloaded.
func TestWaysWithARefusedRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kernel.RemoveScheduler("rr") // that of the ways
		w.config.VirtualServers = []*conf.VirtualServer{w.through(pool(2))}
		w.start()
		for n := 2; n < 4; n++ {
			time.Sleep(10 * time.Second)
			for _, r := range w.engine.Status().VirtualServers[0].Reals {
				if r.State != "unknown" || !r.Checks[0].LastAt.IsZero() {
					t.Errorf("real server %s was asked, and is %s", r.Address, r.State)
				}
			}
			w.reload(w.through(pool(n + 1)))
		}
		w.stop(errSignal)
	})
}
