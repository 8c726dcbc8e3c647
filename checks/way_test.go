package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// TestThroughOfEveryProbe wants the way of each kind that has a route to be found.
func TestThroughOfEveryProbe(t *testing.T) {
	found := 0
	for _, p := range allProbes() {
		v := reflect.New(reflect.TypeOf(p)).Elem()
		for i := range v.NumField() {
			if v.Type().Field(i).Type == reflect.TypeFor[Route]() {
				v.Field(i).Set(reflect.ValueOf(Route{Through: "a way"}))
				found++
				if got := through(v.Interface().(Probe)); got != "a way" {
					t.Errorf("%T goes through %q", p, got)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d kinds of probes have a route", found)
	}
	if got := through(Script{}); got != "" {
		t.Errorf("a script goes through %q", got)
	}
}

// onWay is a probe that fails, and tells on which way.
type onWay struct {
	Route Route
	marks chan uint32
}

func (onWay) Kind() string  { return "on-way" }
func (p onWay) Key() string { return p.Route.Through }
func (p onWay) Run(ctx context.Context) Observation {
	p.marks <- wayOf(ctx).Mark
	return Observation{Reason: "no answer"}
}

func TestPoolRunsOnOpenWaysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool()
		marks := make(chan uint32, 100)
		m := Monitor{Probe: onWay{Route{Through: "a"}, marks}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 2}
		p.Set(map[Key]Monitor{"a": m})
		p.SetWays(map[string]Way{"b": {Mark: 8}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		time.Sleep(time.Minute)
		if status, _ := p.Status("a"); len(marks) > 0 || status.State != Unknown || !status.LastAt.IsZero() {
			t.Errorf("a probe without an open way has run %d times: %+v", len(marks), status)
		}

		p.SetWays(map[string]Way{"a": {Mark: 7, Hint: "look at its lo"}})
		time.Sleep(1500 * time.Millisecond)
		if len(marks) == 0 || <-marks != 7 {
			t.Error("within an interval of the way's opening the probe has not run with the mark of the way")
		}
		r := <-p.Results()
		if r.To != Down || r.Seen.Reason != "no answer; look at its lo" {
			t.Errorf("the probe on an open way told %+v", r)
		}

		p.SetWays(nil)
		time.Sleep(2 * time.Second) // what was under way
		before, _ := p.Status("a")
		time.Sleep(time.Minute)
		if after, _ := p.Status("a"); after.State != Down || after.LastAt != before.LastAt {
			t.Errorf("on a way that was closed the status has become %+v", after)
		}
		cancel()
		<-ended
	})
}

// TestFollow looks at what needs no privilege: whose fault it is when there is
// no way, and where a source would come from.
func TestFollow(t *testing.T) {
	route := Route{Through: "a", Towards: netip.MustParseAddr("127.0.0.1")}
	for _, p := range []Probe{
		TCP{Target: netip.MustParseAddrPort("127.0.0.1:1"), Route: route},
		UDP{Target: netip.MustParseAddrPort("127.0.0.1:1"), Route: route},
		HTTP{Target: netip.MustParseAddrPort("127.0.0.1:1"), Route: route},
	} {
		ctx, cancel := WithTimeout(t.Context(), time.Second)
		if seen := p.Run(ctx); seen.OK || !seen.Ours {
			t.Errorf("%s without a way: %+v", p.Kind(), seen)
		}
		cancel()
	}
	for _, addr := range []string{"127.0.0.1", "::1"} {
		to := netip.MustParseAddr(addr)
		if got, err := sourceTowards(to); err != nil && to.Is4() || err == nil && got != to {
			t.Errorf("from this machine to %s: %s, %v", addr, got, err)
		}
	}
	if !oursAlone(errVirtualSource) || oursAlone(errors.New("refused")) {
		t.Error("who is at fault is wrong")
	}
}

func TestWayPorts(t *testing.T) {
	way := wayOf(WithWay(t.Context(), Way{FirstPort: 40000, Ports: 3}))
	seen := map[uint16]int{}
	for range 6 {
		seen[way.nextPort()]++
	}
	if want := map[uint16]int{40000: 2, 40001: 2, 40002: 2}; !reflect.DeepEqual(seen, want) {
		t.Errorf("the ports are %v, want %v", seen, want)
	}
	if wayOf(t.Context()) != nil || (*Way)(nil).tries() != 1 {
		t.Error("there is a way where none is")
	}
	var wrapped error = &net.OpError{Err: errNoWay}
	if taken(wrapped) {
		t.Error("a way that is not open is no port in use")
	}
}
