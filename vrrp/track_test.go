package vrrp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSteady tells how a track counts that is seen up and down at times, in
// seconds: down counts after 3 s of it, up after 2 s.
func TestSteady(t *testing.T) {
	type look struct {
		at        float64
		up        bool
		tentative bool
	}
	tests := []struct {
		name  string
		track Track
		looks []look
		want  string // after each: + up, - down; and when it changes by itself
	}{
		{"the first counts at once", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, false, false}}, "-"},
		{"no delay", Track{}, []look{{0, true, false}, {0, false, false}, {0, true, false}}, "+ - +"},
		{"down for long enough", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, true, false}, {1, false, false}, {3.9, false, false}, {4, false, false}}, "+ +4 +4 -"},
		{"up for long enough", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, false, false}, {1, true, false}, {2, true, false}, {3, true, false}}, "- -3 -3 +"},
		{"back in time", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, true, false}, {1, false, false}, {3, true, false}, {4, false, false}, {6, false, false}}, "+ +4 + +7 +7"},
		{"seen late", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, true, false}, {1, false, false}, {60, false, false}}, "+ +4 -"},
		{"only down waits", Track{DownDelay: 3e9}, []look{{0, true, false}, {1, false, false}, {4, false, false}, {5, true, false}}, "+ +4 - +"},
		{"what was tentative is nothing to be steady about", Track{UpDelay: 2e9, DownDelay: 3e9}, []look{{0, false, true}, {1, true, false}, {2, false, false}}, "- + +5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var start time.Time
			var c counted
			var got []string
			for i, l := range test.looks {
				now := start.Add(time.Duration(l.at * 1e9))
				c = c.next(now, verdict{up: l.up, tentative: l.tentative}, test.track, i > 0)
				word := map[bool]string{true: "+", false: "-"}[c.up]
				if at := c.changes(test.track); !at.IsZero() {
					word += fmt.Sprint(at.Sub(start).Seconds())
				}
				got = append(got, word)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTrackDelays lets a tracked interface and a virtual server go for a moment,
// which counts for nothing, and for long, which does after the delay, by itself.
func TestTrackDelays(t *testing.T) {
	for _, kind := range []string{"interface", "virtual_server"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLAN().add()
				g := front(150)
				g.Tracks = []Track{{Kind: kind, Name: "eth1", UpDelay: 5 * time.Second, DownDelay: 3 * time.Second}}
				set := func(r *router, up bool) {
					if kind == "interface" {
						h.change(func(ls links) { ls["eth1"] = link{index: 3, name: "eth1", up: up} })
						return
					}
					r.Order(Command{Orders: &Orders{Config: Config{Groups: []Group{g}}, Tracks: []TrackState{{Group: "front", Kind: kind, Name: "eth1", Up: up}}}})
				}
				o := orders(g)
				h.links["eth1"] = link{index: 3, name: "eth1", up: true}
				if kind != "interface" {
					o.Tracks = []TrackState{{Group: "front", Kind: kind, Name: "eth1", Up: true}}
				}
				r := h.boot(t, o)
				time.Sleep(time.Second)
				r.told()

				set(r, false)
				time.Sleep(2900 * time.Millisecond)
				synctest.Wait()
				if s := r.status("front").Tracks; len(s) != 1 || !s[0].Up || s[0].Fault || time.Until(s[0].Changes) != 100*time.Millisecond {
					t.Errorf("while it waits: %+v", s)
				}
				set(r, true)
				time.Sleep(10 * time.Second)
				want(t, r, "")

				set(r, false)
				time.Sleep(3*time.Second - time.Millisecond)
				want(t, r, "")
				time.Sleep(time.Second) // it leaves by rule
				want(t, r, "front MASTER>FAULT: "+kind+" eth1 is down")

				set(r, true)
				time.Sleep(5*time.Second - time.Millisecond)
				want(t, r, "")
				time.Sleep(2*time.Millisecond + gathering)
				if got := r.told(); !strings.HasPrefix(got, "front FAULT>BACKUP") {
					t.Errorf("back after its delay: %q", got)
				}
				if ago := time.Since(r.status("front").Since); ago != time.Millisecond+gathering {
					t.Errorf("it was back %v ago, want it when the delay was over", ago)
				}
				r.end()
			})
		})
	}
}
