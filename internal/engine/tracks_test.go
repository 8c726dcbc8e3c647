package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/vrrp"
)

func TestVirtualServerIsTracked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1))}
		w.group(vrrp.Track{Kind: "virtual_server", Name: "web", Weight: -60})
		w.start()
		w.after(2 * time.Second)
		up := func() bool {
			orders, _ := w.router.orders()
			return len(orders.Tracks) == 1 && orders.Tracks[0].Up
		}
		if !up() {
			t.Error("the track is not up with its virtual server")
		}
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		if up() {
			t.Error("the track is up without quorum")
		}
		_, before := w.router.orders()
		w.after(10 * time.Second)
		if _, n := w.router.orders(); n < before+9 {
			t.Errorf("%d commands in 10 s, want one each second as a proof of life", n-before)
		}
		w.stop(errSignal)
	})
}

func TestScriptIsTracked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group(vrrp.Track{Kind: "script", Name: "uplink"})
		m := checks.Monitor{Probe: probe{w.servers, "uplink"}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
		w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "uplink", Monitor: m}}
		w.start()
		if first := w.router.first(); len(first.Tracks) != 0 {
			t.Errorf("tracks %v before the first run of the script, want none", first.Tracks)
		}
		w.after(2 * time.Second)
		want := []vrrp.TrackState{{Group: "front", Kind: "script", Name: "uplink", Up: true}}
		if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, want) {
			t.Errorf("tracks %v, want %v", orders.Tracks, want)
		}
		w.servers.set("uplink", "no route")
		w.after(2 * time.Second)
		want = []vrrp.TrackState{{Group: "front", Kind: "script", Name: "uplink", Reason: "no route"}}
		if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, want) {
			t.Errorf("tracks %v, want %v", orders.Tracks, want)
		}
		w.stop(errSignal)
	})
}

// TestProbedTracks tells VRRP of every kind of track that the engine probes.
func TestProbedTracks(t *testing.T) {
	for _, kind := range []string{"script", "file", "process"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.group(vrrp.Track{Kind: kind, Name: "uplink"})
				m := checks.Monitor{Probe: probe{w.servers, "uplink"}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
				w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "uplink", Monitor: m}}
				w.servers.set("uplink", "gone")
				w.start()
				w.after(2 * time.Second)
				want := []vrrp.TrackState{{Group: "front", Kind: kind, Name: "uplink", Reason: "gone"}}
				if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, want) {
					t.Errorf("tracks %v, want %v", orders.Tracks, want)
				}
				w.stop(errSignal)
			})
		})
	}
}

// TestInitialTrack has a track count as configured in the first orders, and as
// its verdict once there is one.
func TestInitialTrack(t *testing.T) {
	const unproven = "has no verdict yet"
	state := func(up bool, reason string) []vrrp.TrackState {
		return []vrrp.TrackState{{Group: "front", Kind: "script", Name: "uplink", Up: up, Reason: reason, Tentative: reason == unproven}}
	}
	tests := []struct {
		initial checks.State
		sick    string
		first   []vrrp.TrackState
		then    []vrrp.TrackState
	}{
		{checks.Unknown, "", nil, state(true, "")},
		{checks.Up, "gone", state(true, unproven), state(false, "gone")},
		{checks.Down, "", state(false, unproven), state(true, "")},
	}
	for _, test := range tests {
		t.Run(test.initial.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.group(vrrp.Track{Kind: "script", Name: "uplink", Weight: 10})
				m := checks.Monitor{Probe: probe{w.servers, "uplink"}, Interval: time.Second, Timeout: time.Second, Rise: 5, Fall: 5}
				w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "uplink", Monitor: m, Initial: test.initial}}
				w.servers.set("uplink", test.sick)
				w.start()
				if got := w.router.first().Tracks; !slices.Equal(got, test.first) {
					t.Errorf("at first %v, want %v", got, test.first)
				}
				w.after(10 * time.Second)
				if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, test.then) {
					t.Errorf("then %v, want %v", orders.Tracks, test.then)
				}
				w.stop(errSignal)
			})
		})
	}
}

// unable is a probe that cannot even ask, for a reason on this machine.
type unable struct{}

const unableReason = "as user x: no such user"

func (unable) Kind() string { return "unable" }
func (unable) Key() string  { return "unable" }
func (unable) Run(context.Context) checks.Observation {
	return checks.Observation{Reason: unableReason, Ours: true}
}

// TestTrackThatCannotBeAsked: a track has no verdict, and it is told why.
func TestTrackThatCannotBeAsked(t *testing.T) {
	tests := []struct {
		name    string
		initial checks.State
		weight  int
		want    []vrrp.TrackState
	}{
		{"it counts as down", checks.Unknown, 0, []vrrp.TrackState{{Group: "front", Kind: "script", Name: "gw", Reason: unableReason, Tentative: true}}},
		{"it counts for nothing", checks.Unknown, 10, nil},
		{"initial up", checks.Up, 10, []vrrp.TrackState{{Group: "front", Kind: "script", Name: "gw", Up: true, Reason: unableReason, Tentative: true}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.group(vrrp.Track{Kind: "script", Name: "gw", Weight: test.weight})
				w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "gw", Monitor: checks.Monitor{Probe: unable{}}, Initial: test.initial}}
				w.start()
				w.router.reports <- vrrp.Report{Connected: true, Status: []vrrp.Status{{Group: "front", Tracks: []vrrp.TrackStatus{{Kind: "script", Name: "gw", Reason: "has no verdict yet"}}}}}
				w.after(3 * time.Second)
				if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, test.want) {
					t.Errorf("tracks %+v, want %+v", orders.Tracks, test.want)
				}
				if got := w.engine.Status().VRRP.Groups[0].Tracks[0]; got.State != "unknown" || got.Reason != unableReason {
					t.Errorf("the status tells %+v, want why it is not known", got)
				}
				w.reload()
				if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, test.want) {
					t.Errorf("tracks after a reload %+v, want %+v", orders.Tracks, test.want)
				}
				w.stop(errSignal)
			})
		})
	}
}

// TestTentativeTrack: before the first verdict a virtual server counts as down,
// unless VRRP knows better from an engine before this one.
func TestTentativeTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1))}
		w.group(vrrp.Track{Kind: "virtual_server", Name: "web", Weight: -60})
		w.servers.set("10.0.0.1", "gone")
		w.start()
		if first := w.router.first().Tracks; len(first) != 1 || first[0].Up || !first[0].Tentative {
			t.Errorf("first orders %+v", first)
		}
		w.after(2 * time.Second)
		if orders, _ := w.router.orders(); len(orders.Tracks) != 1 || orders.Tracks[0].Up || orders.Tracks[0].Tentative {
			t.Errorf("orders after the verdict %+v", orders.Tracks)
		}
		w.stop(errSignal)
	})
}

// TestNumberTrack tells VRRP the number that a file holds, which stays what it
// was while it cannot be read, until that is a verdict.
func TestNumberTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group(vrrp.Track{Kind: "file", Name: "load", Weight: -2, Number: true})
		m := checks.Monitor{Probe: probe{w.servers, "load"}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 3}
		w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "load", Monitor: m}}
		w.servers.ask("load", 7)
		w.start()
		told := func(want vrrp.TrackState) {
			t.Helper()
			want.Group, want.Kind, want.Name = "front", "file", "load"
			if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, []vrrp.TrackState{want}) {
				t.Errorf("tracks %+v, want %+v", orders.Tracks, want)
			}
		}
		w.after(2 * time.Second)
		told(vrrp.TrackState{Up: true, Value: 7})
		w.servers.ask("load", -9)
		w.after(2 * time.Second)
		told(vrrp.TrackState{Up: true, Value: -9})
		w.servers.unask("load", "no number")
		w.after(2 * time.Second)
		told(vrrp.TrackState{Up: true, Value: -9})
		w.after(2 * time.Second)
		told(vrrp.TrackState{Value: -9, Reason: "no number"})
		w.stop(errSignal)
	})
}

// TestTrackEvents tells once of what VRRP says anew of its tracks: of interfaces,
// virtual servers and numbers, since the engine's checks tell of all else.
func TestTrackEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group(vrrp.Track{Kind: "interface", Name: "eth1"})
		w.start()
		changes := time.Now().Add(time.Minute)
		for _, list := range [][]vrrp.TrackStatus{
			{{Kind: "interface", Name: "eth1"}, {Kind: "script", Name: "uplink", Known: true, Up: true}, {Kind: "file", Name: "load", Known: true, Up: true, Value: 7}},
			{{Kind: "interface", Name: "eth1", Known: true, Up: true}, {Kind: "script", Name: "uplink", Known: true}, {Kind: "file", Name: "load", Known: true, Up: true, Value: 7}},
			{{Kind: "interface", Name: "eth1", Known: true, Up: true, Changes: changes}, {Kind: "file", Name: "load", Known: true, Up: true, Value: -8}},
			{{Kind: "interface", Name: "eth1", Known: true, Reason: "is down", Fault: true}, {Kind: "file", Name: "load", Known: true, Up: true, Value: -8, Points: 16}},
			{{Kind: "interface", Name: "eth1", Known: true, Reason: "is down", Fault: true}, {Kind: "file", Name: "load", Known: true, Up: true, Value: -8, Points: 16}},
		} {
			w.router.reports <- vrrp.Report{Connected: true, Status: []vrrp.Status{{Group: "front", Tracks: list}}}
			synctest.Wait()
		}
		if diff := cmp.Diff([]string{"front 7>-8", "front up>down is down"}, w.events(KindTrack)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		want := []TrackStatus{{Kind: "interface", Name: "eth1", State: "down", Reason: "is down", Fault: true}, {Kind: "file", Name: "load", State: "up", Value: -8, Points: 16}}
		if diff := cmp.Diff(want, w.engine.Status().VRRP.Groups[0].Tracks); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}
