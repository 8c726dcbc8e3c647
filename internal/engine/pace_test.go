package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

func TestPace(t *testing.T) {
	t.Parallel()
	type look struct {
		after int // seconds
		stats checks.Stats
		late  bool
		why   string
	}
	const ms = time.Millisecond
	tests := []struct {
		name  string
		looks []look
	}{
		{"on time", []look{
			{1, checks.Stats{Started: 100, Lag: 20 * ms, Limit: 64}, false, ""},
			{2, checks.Stats{Started: 200, Lag: 250 * ms, Limit: 64}, false, ""},
		}},
		{"lag", []look{
			{1, checks.Stats{Started: 100, Limit: 64}, false, ""},
			{2, checks.Stats{Started: 200, Lag: 251 * ms, Limit: 64}, true, "probes start up to 251ms late; the machine gives the director too little processor time"},
			{3, checks.Stats{Started: 300, Lag: 900 * ms, Limit: 64, InFlight: 64}, true, "probes start up to 900ms late; as many run as may, 64"},
			{4, checks.Stats{Started: 300, Lag: 900 * ms, Limit: 64, InFlight: 20, Waiting: 3}, true, "as many run as may, 20"},
			{5, checks.Stats{Started: 400, Lag: 10 * ms, Limit: 64}, false, ""},
		}},
		// Probes of short intervals are left out before they are late by much.
		{"left out", []look{
			{1, checks.Stats{Started: 1000, Skipped: 500, Limit: 64}, false, ""}, // at the start
			{10, checks.Stats{Started: 1900, Skipped: 1500, Limit: 64}, false, ""},
			{11, checks.Stats{Started: 2000, Skipped: 1500, Limit: 64}, true, "50% are left out"},
			{12, checks.Stats{Started: 2100, Skipped: 1500, Limit: 64}, true, "50% are left out"},
			{21, checks.Stats{Started: 3000, Skipped: 1550, Limit: 64}, false, ""}, // some always are
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p pace
			start := time.Now()
			was := false
			for _, l := range test.looks {
				now := start.Add(time.Duration(l.after) * time.Second)
				if changed := p.judge(now, l.stats); p.late != l.late || changed != (l.late != was) || !strings.Contains(p.reason, l.why) || l.late != (p.reason != "") {
					t.Errorf("after %d s late is %v, changed %v, reason %q; want %v, %q", l.after, p.late, changed, p.reason, l.late, l.why)
				}
				if l.late != was && p.since != now {
					t.Errorf("after %d s it is so since %v ago, want now", l.after, now.Sub(p.since))
				}
				was = l.late
			}
		})
	}
}

// Servers that do not answer keep so many probes under way that others start
// late. The director tells when that begins and when it is over.
func TestLateChecksAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.pool = []checks.Option{checks.MaxInFlight(1)}
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(4))}
		w.start()
		w.after(20 * time.Second)
		if got := w.events(KindPace); len(got) != 0 {
			t.Fatalf("events %q while all is well", got)
		}
		for _, addr := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"} {
			w.servers.set(addr, hangs)
		}
		w.after(2 * paceWindow)
		s := w.engine.Status().Checks
		if !s.Late || s.Probes != 4 || s.InFlight != 1 || s.Lag == 0 || s.LeftOut == 0 || s.Started == 0 || !strings.Contains(s.Reason, "as many run as may, 1:") {
			t.Errorf("status %+v while probes must wait for each other", s)
		}
		for _, addr := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"} {
			w.servers.set(addr, "")
		}
		w.after(30 * time.Second)
		if s := w.engine.Status().Checks; s.Late || s.Reason != "" {
			t.Errorf("status %+v when all is well again", s)
		}
		got := w.events(KindPace)
		if len(got) != 2 || !strings.HasPrefix(got[0], "on time>late probes start up to ") || !strings.HasPrefix(got[1], "late>on time meanwhile ") {
			t.Errorf("events %q, want one at the begin and one at the end", got)
		}
		if all := w.engine.Journal().Recent(-1); !slices.ContainsFunc(all, func(ev Event) bool { return ev.Kind == KindPace && ev.To == paceLate && ev.Lag > 0 }) {
			t.Error("no event has the lag")
		}
		w.stop(errSignal)
	})
}
