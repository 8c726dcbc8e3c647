package engine

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/bfd"
	"github.com/lvs-director/director/vrrp"
)

// neighbours are Sessions that are as the test says.
type neighbours struct {
	reports chan bfd.Report
	set     chan map[string]bfd.Session
	cause   chan error
}

func newNeighbours() *neighbours {
	return &neighbours{reports: make(chan bfd.Report), set: make(chan map[string]bfd.Session, 10), cause: make(chan error, 1)}
}

func (n *neighbours) Reports() <-chan bfd.Report     { return n.reports }
func (n *neighbours) Set(all map[string]bfd.Session) { n.set <- all }
func (n *neighbours) Run(ctx context.Context) error {
	<-ctx.Done()
	n.cause <- context.Cause(ctx)
	return nil
}

// tell reports one session, and waits until that has reached everybody.
func (n *neighbours) tell(s bfd.Status) {
	n.reports <- bfd.Report{Sessions: []bfd.Status{s}}
	synctest.Wait()
}

// sessionWorld is a world with a session "core", that a group tracks and that is
// the check of the only real server.
func sessionWorld(t *testing.T) (w *world, n *neighbours, core bfd.Status) {
	core = bfd.Status{Name: "core", Session: bfd.Session{Peer: netip.MustParseAddr("10.0.0.1")}, State: bfd.Down, Reason: "no packet yet"}
	vs := pool(1)
	check := checks.Monitor{Probe: checks.BFD{Neighbor: core.Session.Peer}, Rise: 1, Fall: 1}
	vs.Reals[0].Checks = []conf.Check{{Name: "bfd", Monitor: check, Key: check.Key()}}
	w, n = newWorld(t, vs), newNeighbours()
	w.sessions = n
	w.group(vrrp.Track{Kind: "bfd", Name: "core", Weight: -60})
	w.config.BFD = []conf.BFD{{Name: "core", Session: core.Session}}
	w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "core", Monitor: checks.Monitor{Probe: checks.BFD{Session: "core"}, Rise: 1, Fall: 1}}}
	return w, n, core
}

// TestSessions: what a session says reaches the pool, the group and the events,
// and not before there is a verdict.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, n, core := sessionWorld(t)
		w.start()
		if got := <-n.set; len(got) != 1 || got["core"] != core.Session {
			t.Errorf("sessions set: %v", got)
		}
		n.tell(core)
		if got := w.engine.Status().BFD.Sessions[0]; got.State != "unknown" || got.Reason != "no packet yet" {
			t.Errorf("status before the verdict: %+v", got)
		}
		want := func(up bool, reason, table string) {
			t.Helper()
			synctest.Wait()
			w.table(table)
			tracks := []vrrp.TrackState{{Group: "front", Kind: "bfd", Name: "core", Up: up, Reason: reason}}
			if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, tracks) {
				t.Errorf("tracks %v, want %v", orders.Tracks, tracks)
			}
		}
		core.State, core.Known, core.Reason = bfd.Up, true, ""
		n.tell(core)
		want(true, "", "1=1")
		core.State, core.Downs, core.Reason = bfd.Down, 1, "control detection time expired"
		n.tell(core)
		want(false, "bfd: control detection time expired", "1=0")
		core.State = bfd.Init // on its way
		n.tell(core)
		core.State, core.Reason = bfd.Up, ""
		n.tell(core)
		want(true, "", "1=1")
		core.Downs = 2 // faster than it is read
		n.tell(core)
		events := []string{
			"unknown>up",
			"up>down control detection time expired",
			"down>up",
			"up>up went down meanwhile, and is up again",
		}
		if diff := cmp.Diff(events, w.events(KindBFD)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := w.events(KindTrack); !slices.Contains(got, "front up>down bfd: control detection time expired") {
			t.Errorf("events of the track: %q", got)
		}
		w.stop(errSignal)
		if cause := <-n.cause; cause == bfd.ErrSilent {
			t.Error("stopped without a word")
		}
	})
}

// TestSessionsAcrossReload: a check that a reload adds knows at once what its
// session says; a session that is gone, or leads elsewhere, says nothing more.
func TestSessionsAcrossReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, n, core := sessionWorld(t)
		w.start()
		core.State, core.Known = bfd.Up, true
		n.tell(core)
		vs := *w.config.VirtualServers[0]
		vs.Reals = slices.Clone(vs.Reals)
		check := checks.Monitor{Probe: checks.BFD{Session: "core"}, Rise: 1, Fall: 1, WeightStep: 1} // another key
		vs.Reals[0].Checks = []conf.Check{{Name: "bfd", Monitor: check, Key: check.Key()}}
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{&vs}
		w.config = &next
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.engine.Status().VirtualServers[0].Reals[0].State; got != "up" {
			t.Errorf("the real server is %s after the reload", got)
		}

		elsewhere := next
		moved := core.Session
		moved.Peer = netip.MustParseAddr("10.0.0.99")
		elsewhere.BFD = []conf.BFD{{Name: "core", Session: moved}}
		w.config = &elsewhere
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		core.State = bfd.Down
		n.tell(core) // of the old one, which was on its way
		if got := w.engine.Status().BFD.Sessions[0]; got.State != "unknown" || got.Neighbor != "10.0.0.99" {
			t.Errorf("a session that leads elsewhere: %+v", got)
		}

		none := elsewhere
		none.BFD, none.VirtualServers, none.Groups = nil, nil, []conf.GroupPolicy{{Group: "front"}}
		w.config = &none
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		if w.engine.Status().BFD != nil {
			t.Error("the status tells of sessions that are gone")
		}
		w.stop(ErrLeave)
		if cause := <-n.cause; cause != bfd.ErrSilent {
			t.Errorf("left with %v", cause)
		}
	})
}
