package vrrp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRemember(t *testing.T) {
	script, vs := Track{Kind: "script", Name: "uplink"}, Track{Kind: "virtual_server", Name: "web"}
	g := front(150)
	g.Tracks = []Track{script, vs}
	state := func(t Track, up, tentative bool) TrackState {
		return TrackState{Group: "front", Kind: t.Kind, Name: t.Name, Up: up, Tentative: tentative}
	}
	tests := []struct {
		name             string
		before, now, all []TrackState
	}{
		{"nothing known before", nil, []TrackState{state(vs, false, true)}, []TrackState{state(vs, false, true)}},
		{"not known yet", []TrackState{state(script, true, false), state(vs, true, false)}, nil, []TrackState{state(script, true, false), state(vs, true, false)}},
		{"tentative", []TrackState{state(vs, true, false)}, []TrackState{state(vs, false, true)}, []TrackState{state(vs, true, false)}},
		{"tentative twice", []TrackState{state(vs, true, true)}, []TrackState{state(vs, false, true)}, []TrackState{state(vs, false, true)}},
		{"news", []TrackState{state(vs, true, false), state(script, true, false)}, []TrackState{state(vs, false, false), state(script, false, false)},
			[]TrackState{state(vs, false, false), state(script, false, false)}},
		{"no longer tracked", []TrackState{{Group: "front", Kind: "script", Name: "old", Up: true}}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Orders{Config: Config{Groups: []Group{g}}, Tracks: tt.now}
			given := append([]TrackState(nil), tt.now...)
			got := o.remember(Orders{Tracks: tt.before})
			if diff := cmp.Diff(tt.all, got.Tracks); diff != "" {
				t.Errorf("tracks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(given, tt.now); diff != "" {
				t.Errorf("the orders themselves were changed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNewEngineKnowsNothingYet: orders of an engine that has just started leave
// mastership where it is, until it has news.
func TestNewEngineKnowsNothingYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracked := func(up bool) *TrackState {
			return &TrackState{Group: "front", Kind: "bfd", Name: "core", Up: up, Reason: "as the test says"}
		}
		of := func(s *TrackState) Orders {
			g := front(150)
			g.Tracks = []Track{{Kind: "bfd", Name: "core"}}
			o := orders(g)
			if s != nil {
				o.Tracks = []TrackState{*s}
			}
			return o
		}
		r := newLAN().add().boot(t, of(tracked(true)))
		time.Sleep(time.Second)
		synctest.Wait()
		if !r.host.holds(vip) {
			t.Fatal("not master: " + r.told())
		}
		r.told()
		again := of(nil)
		r.Order(Command{Orders: &again})
		time.Sleep(time.Second)
		want(t, r, "")
		down := of(tracked(false))
		r.Order(Command{Orders: &down})
		time.Sleep(time.Second)
		want(t, r, "front MASTER>FAULT: bfd core as the test says")
		r.end()
	})
}
