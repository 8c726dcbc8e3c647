package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/vrrp"
)

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
