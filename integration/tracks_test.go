//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// TestTracks has a group follow a number in a file, and an interface whose
// cable is out for a moment, which counts for nothing, and for long.
func TestTracks(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	folder := t.TempDir()
	load := filepath.Join(folder, "load")
	d := startDirector(t, n, n.A, group{priority: 150, interval: 100 * time.Millisecond, more: fmt.Sprintf(`
  track "file" "load" {
    path     = %q
    holds    = "number"
    weight   = -2
    interval = "100ms"
    timeout  = "100ms"
  }
  track "interface" "eth1" {
    weight     = -30
    up_delay   = "1s"
    down_delay = "1h"
  }
`, load)}.String())
	await := func(what string, good func(engine.GroupStatus) bool) {
		t.Helper()
		must(t, lab.Await(20*time.Second, func() error {
			status, err := d.Status()
			if err != nil {
				return err
			}
			if g := status.VRRP.Groups[0]; !good(g) {
				return fmt.Errorf("no %s: %+v", what, g)
			}
			return nil
		}))
	}
	priority := func(want uint8) {
		t.Helper()
		await(fmt.Sprintf("priority %d", want), func(g engine.GroupStatus) bool { return g.Priority == want })
	}
	track := func(g engine.GroupStatus) engine.TrackStatus { return g.Tracks[len(g.Tracks)-1] }

	must(t, d.AwaitGroup("front", "MASTER", 20*time.Second))
	priority(150) // a file that is not there holds 0
	for _, set := range []struct {
		text string
		want uint8
	}{{"7\n", 136}, {"-20", 190}, {"1000000000", 0}, {"garbage", 150}, {"", 150}, {"127", 0}, {"1", 148}} {
		must(t, os.WriteFile(load+".new", []byte(set.text), 0o644))
		must(t, os.Rename(load+".new", load))
		if set.want == 0 {
			must(t, d.AwaitGroup("front", "FAULT", 20*time.Second))
			continue
		}
		priority(set.want)
	}
	must(t, d.AwaitGroup("front", "MASTER", 20*time.Second))

	must(t, n.Pull(n.A, "eth1"))
	await("delay", func(g engine.GroupStatus) bool {
		return g.Priority == 148 && track(g).State == "up" && track(g).Changes != nil
	})
	must(t, n.Plug(n.A, "eth1"))
	await("end of the delay", func(g engine.GroupStatus) bool { return g.Priority == 148 && track(g).Changes == nil })

	must(t, d.Configure(group{priority: 150, interval: 100 * time.Millisecond,
		more: "  track \"interface\" \"eth1\" {\n    weight = -30\n    down_delay = \"500ms\"\n  }\n"}.String()))
	must(t, d.Reload())
	priority(150)
	must(t, n.Pull(n.A, "eth1"))
	priority(120)
	must(t, n.Plug(n.A, "eth1"))
	priority(150)
	events, err := d.Events(engine.KindTrack)
	must(t, err)
	var told []string
	for _, e := range events {
		if e.Check == "eth1" {
			told = append(told, e.From+">"+e.To)
		}
	}
	if fmt.Sprint(told) != "[up>down down>up]" {
		t.Errorf("events of eth1: %v", told)
	}
}
