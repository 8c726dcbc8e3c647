package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

func TestHealthMovesTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(3, remove))}
		w.servers.set("10.0.0.3", "connect: connection refused")
		w.starts("1=1 2=2")
		w.turns("10.0.0.1", "http status 503", "2=2")

		w.turns("10.0.0.1", "", "1=1 2=2")

		got := w.events(KindReal)
		slices.Sort(got)
		want := []string{
			"10.0.0.1:80 down>up",
			"10.0.0.1:80 unknown>up",
			"10.0.0.1:80 up>down http status 503",
			"10.0.0.2:80 unknown>up",
			"10.0.0.3:80 unknown>down connect: connection refused",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		status := w.engine.Status().VirtualServers[0]
		if r := status.Reals[2]; r.State != "down" || r.Reason != "connect: connection refused" || r.InTable || r.Checks[0].LastAt.IsZero() {
			t.Errorf("status of the third server: %+v", r)
		}
		w.stop(errSignal)
		w.table("no service")
	})
}

func TestPanicKeepsThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		half := func(vs *conf.VirtualServer) { vs.PanicThreshold = 50 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(4, remove, half))}
		w.servers.set("10.0.0.4", "gone")
		w.starts("1=1 2=2 3=3")
		w.turns("10.0.0.3", "gone", "1=1 2=2") // half of them: still believed

		w.servers.set("10.0.0.2", "gone")
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		if !w.engine.Status().VirtualServers[0].Panics {
			t.Error("the status does not tell of the panic")
		}
		w.turns("10.0.0.4", "", "1=1 2=2 4=4") // one more than were good, but still too few

		w.turns("10.0.0.3", "", "3=3 4=4")
		if got := len(w.events(KindPanic)); got != 2 {
			t.Errorf("%d panic events, want one at the begin and one at the end", got)
		}
		w.stop(errSignal)
	})
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := func(vs *conf.VirtualServer) { vs.SlowStart, vs.Reals[0].Destination.Weight = 10*time.Second, 100 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, slow))}
		w.starts("1=100") // not at the start of the daemon
		w.turns("10.0.0.1", "gone", "1=0")
		w.servers.set("10.0.0.1", "")
		last := uint32(0)
		for range 12 {
			w.after(time.Second)
			weight := w.kernel.Table().Services[pool(0).Services[0].ID].Destinations[0].Weight
			if weight < last || weight > last+20 {
				t.Errorf("weight %d a second after %d, want it to grow by a tenth each second", weight, last)
			}
			last = weight
		}
		if last != 100 {
			t.Errorf("weight %d at the end, want 100", last)
		}
		w.stop(errSignal)
	})
}

// A server that a panic has kept has never been away when it recovers.
func TestNoSlowStartAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2, func(vs *conf.VirtualServer) {
			vs.PanicThreshold, vs.SlowStart = 60, 100*time.Second
			vs.Reals[0].Destination.Weight, vs.Reals[1].Destination.Weight = 100, 100
		}))}
		w.starts("1=100 2=100")
		w.servers.set("10.0.0.2", "gone")
		w.turns("10.0.0.1", "gone", "1=100 2=100")
		w.turns("10.0.0.1", "", "1=100 2=100")
		w.turns("10.0.0.2", "", "1=100 2=100")
		w.stop(errSignal)
	})
}

// A pool whose servers are not known yet waits; it has lost nothing.
func TestNoQuorumIsToldBeforeTheFirstVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, remove))}
		w.servers.set("10.0.0.1", hangs)
		w.start()
		if got := w.engine.Status().VirtualServers[0]; got.State != "unknown" || got.Reason != "waiting for the first checks" {
			t.Errorf("state %s, reason %q before any verdict", got.State, got.Reason)
		}
		if got := w.events(KindQuorum); len(got) != 0 {
			t.Errorf("quorum events %q before any verdict", got)
		}
		w.after(2 * time.Second)
		want := []string{"web >down below quorum: weight 0 up of 1 wanted"}
		if diff := cmp.Diff(want, w.events(KindQuorum)); diff != "" {
			t.Errorf("quorum events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

func TestChecksAskForWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2))}
		w.starts("1=1 2=2")
		w.servers.ask("10.0.0.1", 40)
		w.after(2 * time.Second)
		w.table("1=40 2=2")
		w.servers.ask("10.0.0.1", 1<<20)
		w.after(2 * time.Second)
		w.table("1=65535 2=2")
		w.turns("10.0.0.1", "gone", "1=0 2=2")
		w.stop(errSignal)
	})
}

// A server of which nothing is known yet has not failed.
func TestPanicCountsOnlyFailures(t *testing.T) {
	s := &service{vs: &conf.VirtualServer{PanicThreshold: 50}, reals: make([]real, 10)}
	for i := range 4 {
		s.reals[i].state = checks.Up
		if s.judgePanic() {
			t.Fatalf("panic when the first %d of ten are up and of the others nothing is known", i+1)
		}
	}
	for i := 4; i < 9; i++ {
		s.reals[i].state = checks.Down
		if s.judgePanic() {
			t.Fatalf("panic with %d of ten down", i-3)
		}
	}
	if s.reals[9].state = checks.Down; !s.judgePanic() {
		t.Error("no panic with six of ten down")
	}
}

// An engine that starts in a panic keeps those that the panic keeps, in whatever
// order it comes to know that they are down.
func TestPanicOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		half := func(vs *conf.VirtualServer) { vs.PanicThreshold = 50 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(4, remove, half))}
		w.servers.set("10.0.0.3", "gone")
		w.servers.set("10.0.0.4", "gone")
		w.starts("1=1 2=2")
		w.servers.set("10.0.0.2", "gone")
		w.turns("10.0.0.1", "gone", "1=1 2=2")
		w.stop(ErrLeave)
		w.start()
		w.after(5 * time.Second)
		w.table("1=1 2=2")
		if !w.engine.Status().VirtualServers[0].Panics {
			t.Error("the status does not tell of the panic")
		}
		w.turns("10.0.0.3", "", "1=1 2=2 3=3")
		w.turns("10.0.0.4", "", "3=3 4=4")
		w.stop(errSignal)
	})
}

func TestPanicInAnyOrder(t *testing.T) {
	for _, order := range [][4]int{{0, 1, 2, 3}, {2, 3, 0, 1}, {0, 2, 1, 3}, {2, 0, 3, 1}, {3, 1, 0, 2}} {
		kept := uint32(5)
		s := &service{vs: pool(4, remove), reals: make([]real, 4)}
		s.vs.PanicThreshold = 50
		for i := range 2 {
			s.reals[i].kept, s.reals[i].found = &kept, true
		}
		s.judgePanic()
		for _, i := range order {
			s.reals[i].state, s.reals[i].kept = checks.Down, nil
			s.judgePanic()
			if rows := plan(s.vs, s.views(time.Now()), false, nil); len(rows[0].Destinations) == 0 {
				t.Errorf("down in the order %v: nobody is left in the table meanwhile", order)
			}
		}
		rows := plan(s.vs, s.views(time.Now()), false, nil)
		if got := weights(rows[0].Destinations); got != "1=1 2=2" {
			t.Errorf("down in the order %v: %q is kept, want those found in the table", order, got)
		}
	}
}

// What was found in the table is remembered until all are known, and no longer.
func TestPanicForgetsWhatWasFound(t *testing.T) {
	kept := uint32(5)
	s := &service{vs: pool(4, remove), reals: make([]real, 4)}
	s.vs.PanicThreshold = 50
	for i := range s.reals {
		s.reals[i].kept, s.reals[i].found = &kept, true
	}
	for i, state := range []checks.State{checks.Down, checks.Up, checks.Up, checks.Up, checks.Down, checks.Down} {
		s.reals[i%4].state, s.reals[i%4].kept = state, nil
		s.judgePanic()
	}
	s.reals[2].state = checks.Down
	if !s.judgePanic() {
		t.Fatal("no panic with three of four down")
	}
	rows := plan(s.vs, s.views(time.Now()), false, nil)
	if got := weights(rows[0].Destinations); got != "3=3 4=4" {
		t.Errorf("%q is kept, want those that were up last", got)
	}
}
