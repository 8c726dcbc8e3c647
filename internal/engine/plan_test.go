package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// pool returns a virtual server with real servers 10.0.0.1, .2, … of weights 1, 2, ….
func pool(n int, change ...func(*conf.VirtualServer)) *conf.VirtualServer {
	vs := &conf.VirtualServer{
		Name:      "web",
		OnFailure: conf.Drain,
		Quorum:    1,
		Services: []ipvsctl.Service{{
			ID:        ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")},
			Scheduler: "wrr",
		}},
	}
	for i := range n {
		vs.Reals = append(vs.Reals, conf.RealServer{Destination: ipvsctl.Destination{
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80), Forward: ipvsctl.NAT, Weight: uint32(i + 1),
		}})
	}
	for _, f := range change {
		f(vs)
	}
	return vs
}

func sorry(vs *conf.VirtualServer) {
	vs.Sorry = &conf.RealServer{Destination: ipvsctl.Destination{Addr: netip.MustParseAddrPort("10.0.0.99:80"), Forward: ipvsctl.NAT, Weight: 1}}
}

func remove(vs *conf.VirtualServer)    { vs.OnFailure = conf.Remove }
func initialUp(vs *conf.VirtualServer) { vs.InitialUp = true }
func mh(vs *conf.VirtualServer)        { vs.Services[0].Scheduler = "mh" }

// weights renders destinations as "1=10 2=0": last byte of the address = weight.
func weights(dests []ipvsctl.Destination) string {
	var words []string
	for _, d := range dests {
		words = append(words, fmt.Sprintf("%d=%d", d.Addr.Addr().As4()[3], d.Weight))
	}
	return strings.Join(words, " ")
}

func TestPlan(t *testing.T) {
	const u, d, x = checks.Up, checks.Down, checks.Unknown
	kept, none := uint32(7), uint32(0)
	weigh := Override{Mode: OverrideWeight, Weight: 50}
	up := func(states ...checks.State) (views []realView) {
		for _, s := range states {
			views = append(views, realView{state: s, ramp: 100})
		}
		return views
	}
	with := func(o Override, states ...checks.State) []realView {
		views := up(states...)
		views[0].override = o
		return views
	}
	leaving := []ipvsctl.Destination{{Addr: netip.MustParseAddrPort("10.0.0.50:80"), Forward: ipvsctl.NAT, Weight: 9}}
	tests := []struct {
		name    string
		vs      *conf.VirtualServer
		views   []realView
		lost    bool
		leaving []ipvsctl.Destination
		want    string
	}{
		{name: "all up", vs: pool(3), views: up(u, u, u), want: "1=1 2=2 3=3"},
		{name: "down drains", vs: pool(2), views: up(u, d), want: "1=1 2=0"},
		{name: "down removes", vs: pool(2, remove), views: up(u, d), want: "1=1"},
		{name: "a new server waits", vs: pool(2, remove), views: up(u, x), want: "1=1"},
		{name: "initial up", vs: pool(2, remove, initialUp), views: up(u, x), want: "1=1 2=2"},
		{name: "initial up does not save one that is down", vs: pool(2, remove, initialUp), views: up(u, d), want: "1=1"},
		{name: "what the kernel held stays until the verdict", vs: pool(1, remove), views: []realView{{state: x, kept: &kept, ramp: 100}}, want: "1=7"},
		{name: "weight by an operator counts before the verdict", vs: pool(1, remove), views: []realView{{state: x, kept: &kept, override: weigh, ramp: 100}}, want: "1=50"},
		{name: "weight by an operator of a new server that waits", vs: pool(1), views: []realView{{state: x, override: weigh}}, want: "1=0"},
		{name: "weight by an operator of one that did not serve", vs: pool(1), views: []realView{{state: x, kept: &none, override: weigh, ramp: 100}}, want: "1=0"},
		{name: "weight by an operator, initial up", vs: pool(1, initialUp), views: []realView{{state: x, override: weigh}}, want: "1=50"},
		{name: "a slow start goes on before the verdict", vs: pool(1), views: []realView{{state: x, kept: &kept, override: weigh, ramp: 20}}, want: "1=10"},
		{name: "the verdict ends it", vs: pool(1, remove), views: []realView{{state: d, kept: &kept}}, want: ""},
		{name: "drained by an operator", vs: pool(2, remove), views: with(Override{Mode: OverrideDrain}, u, u), want: "1=0 2=2"},
		{name: "disabled by an operator", vs: pool(2), views: with(Override{Mode: OverrideDisable}, u, u), want: "2=2"},
		{name: "disabled with mh stays in the table", vs: pool(2, mh), views: with(Override{Mode: OverrideDisable}, u, u), want: "1=0 2=2"},
		{name: "weight by an operator", vs: pool(2), views: with(Override{Mode: OverrideWeight, Weight: 5}, u, u), want: "1=5 2=2"},
		{name: "weight by an operator does not raise the dead", vs: pool(2), views: with(Override{Mode: OverrideWeight, Weight: 5}, d, u), want: "1=0 2=2"},
		{name: "no quorum, no sorry server", vs: pool(2, remove), views: up(u, d), lost: true, want: "1=1"},
		{name: "no quorum, sorry server", vs: pool(2, remove, sorry), views: up(u, d), lost: true, want: "99=1"},
		{name: "no quorum, sorry server, drain", vs: pool(2, sorry), views: up(u, d), lost: true, want: "1=0 2=0 99=1"},
		{name: "sorry server is out with quorum", vs: pool(2, sorry), views: up(u, u), want: "1=1 2=2"},
		{name: "leaving servers take nothing new", vs: pool(1), views: up(u), leaving: leaving, want: "1=1 50=0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := plan(tt.vs, tt.views, tt.lost && tt.vs.Sorry != nil, tt.leaving)
			if diff := cmp.Diff(tt.want, weights(got[0].Destinations)); diff != "" {
				t.Errorf("destinations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRamp(t *testing.T) {
	tests := []struct {
		weight uint32
		ago    time.Duration
		want   uint32
	}{
		{100, 0, 1}, {100, 15 * time.Second, 50}, {100, 29 * time.Second, 96}, {100, 30 * time.Second, 100}, {100, time.Hour, 100}, {1, time.Second, 1}, {0, time.Second, 0},
	}
	for _, tt := range tests {
		if got := ramped(tt.weight, rampPercent(tt.ago, 30*time.Second)); got != tt.want {
			t.Errorf("weight %d, %v after the recovery: %d, want %d", tt.weight, tt.ago, got, tt.want)
		}
	}
}

func TestIsPanic(t *testing.T) {
	tests := []struct {
		up, all, threshold int
		want               bool
	}{{5, 10, 50, false}, {4, 10, 50, true}, {0, 10, 0, false}, {0, 10, 1, true}, {0, 0, 50, false}}
	for _, tt := range tests {
		if got := isPanic(tt.up, tt.all, tt.threshold); got != tt.want {
			t.Errorf("isPanic(%d, %d, %d) = %v, want %v", tt.up, tt.all, tt.threshold, got, tt.want)
		}
	}
}

func TestHasQuorum(t *testing.T) {
	tests := []struct {
		name                       string
		had                        bool
		weight, quorum, hysteresis int
		want                       bool
	}{
		{"won at quorum", false, 2, 2, 0, true},
		{"not below", false, 1, 2, 0, false},
		{"won only with hysteresis", false, 2, 2, 1, false},
		{"won with hysteresis", false, 3, 2, 1, true},
		{"kept within hysteresis", true, 1, 2, 1, true},
		{"lost below hysteresis", true, 0, 2, 1, false},
		{"nothing left is lost whatever the hysteresis", true, 0, 1, 1, false},
		{"nothing is no quorum", false, 0, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hasQuorum(tt.had, tt.weight, tt.quorum, tt.hysteresis); got != tt.want {
				t.Errorf("hasQuorum(%v, %d, %d, %d) = %v, want %v", tt.had, tt.weight, tt.quorum, tt.hysteresis, got, tt.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	results := map[checks.Key]checks.Result{
		"up":    {To: checks.Up},
		"down":  {To: checks.Down, Seen: checks.Observation{Reason: "refused"}},
		"down2": {To: checks.Down, Seen: checks.Observation{Reason: "late"}},
	}
	tests := []struct {
		keys   []checks.Key
		want   checks.State
		reason string
	}{
		{nil, checks.Up, ""},
		{[]checks.Key{"up"}, checks.Up, ""},
		{[]checks.Key{"up", "new"}, checks.Unknown, ""},
		{[]checks.Key{"new", "down"}, checks.Down, "refused"},
		{[]checks.Key{"up", "down2", "down"}, checks.Down, "late"},
	}
	for _, tt := range tests {
		var cs []conf.Check
		for _, k := range tt.keys {
			cs = append(cs, conf.Check{Name: string(k), Key: k})
		}
		state, _, seen := verdict(cs, func(k checks.Key) checks.Result { return results[k] })
		if state != tt.want || seen.Reason != tt.reason {
			t.Errorf("verdict(%v) = %v %q, want %v %q", tt.keys, state, seen.Reason, tt.want, tt.reason)
		}
	}
}
