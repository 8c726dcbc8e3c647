package worker

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

func TestWorkerThatDiesIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(2), 2)
		m.started[0].signal(9)
		synctest.Wait()
		if len(m.started) != 2 {
			t.Fatalf("%d workers were started, want the second at once", len(m.started))
		}
		told := m.started[1].told()
		if len(told) != 1 || len(told[0].Orders.Config.Groups) != 2 {
			t.Errorf("the second worker was told %v, want the orders", told)
		}
		e.beat(orders(2), 1)
		var lost bool
		for _, r := range e.reports {
			lost = lost || strings.Contains(strings.Join(r.Problems, ""), "killed")
		}
		if !lost {
			t.Errorf("the engine was not told that the worker was killed: %+v", e.reports)
		}
		if diff := cmp.Diff([]string{"INIT>MASTER", "INIT>MASTER"}, e.transitions()); diff != "" {
			t.Errorf("transitions (-want +got):\n%s", diff)
		}

		// One that dies each time is started ever more rarely.
		for range 600 {
			m.mu.Lock()
			w := m.current
			m.mu.Unlock()
			if w != nil {
				w.signal(9)
			}
			e.beat(orders(2), 1)
		}
		if n := len(m.started); n < 30 || n > 90 {
			t.Errorf("%d starts in 10 minutes, want about one in 10 s", n)
		}
		e.stopped(t)
	})
}

func TestFailedStartIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, refuse: errors.New("no such file")}
		e := m.engine()
		e.beat(orders(1), 2)
		if got := e.last(); got.Connected || !strings.Contains(strings.Join(got.Problems, ""), "no such file") {
			t.Errorf("report %+v, want why no worker runs", got)
		}
		m.mu.Lock()
		m.refuse = nil
		m.mu.Unlock()
		e.beat(orders(1), 10)
		if !e.last().Connected {
			t.Error("not connected after starting became possible")
		}
		e.stopped(t)
	})
}

func TestWorkerOfAnotherVersionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		h := ours()
		h.Schema = "another"
		m.mu.Lock()
		old := m.run(nil, h)
		m.mu.Unlock()
		old.Order(vrrp.Command{Orders: orders(1)})
		e := m.engine()
		e.beat(orders(1), 2)
		select {
		case <-old.over:
		default:
			t.Fatal("the worker of another version still runs")
		}
		if old.now() != vrrp.Initialize || old.err != nil {
			t.Errorf("the other worker ended as %v, %v: want that it left by rule", old.now(), old.err)
		}
		if !e.last().Connected || len(m.started) != 2 {
			t.Errorf("connected %v with %d workers, want a new one", e.last().Connected, len(m.started))
		}
		e.stopped(t)
	})
}

func TestWorkerThatDoesNotLeaveIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		h := ours()
		h.Protocol++
		m.mu.Lock()
		old := m.run(nil, h)
		m.mu.Unlock()
		old.deaf = true
		e := m.engine()
		e.beat(orders(1), 20)
		if !errors.Is(old.err, errKilled) {
			t.Errorf("the other worker ended with %v, want that it was killed", old.err)
		}
		if !e.last().Connected {
			t.Error("not connected to a new worker")
		}
		e.stopped(t)
	})
}

func TestHungWorkerIsKilledAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(1), 2)
		m.started[0].deaf = true
		m.started[0].mute <- true
		e.beat(orders(1), 8)
		if e.last().Connected {
			t.Error("still said to be connected after 8 s of silence")
		}
		e.beat(orders(1), 12)
		if !e.last().Connected || len(m.started) != 2 {
			t.Errorf("connected %v with %d workers, want a new one", e.last().Connected, len(m.started))
		}
		e.stopped(t)
	})
}

func TestSilenceThatEndsIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(1), 2)
		for range 3 {
			m.started[0].mute <- true
			e.beat(orders(1), 8)
			if e.last().Connected {
				t.Error("still said to be connected after 8 s of silence")
			}
			m.started[0].mute <- false
			e.beat(orders(1), 2)
			if !e.last().Connected {
				t.Error("not connected although the worker reports again")
			}
		}
		if len(m.started) != 1 {
			t.Errorf("%d workers were started, want 1", len(m.started))
		}
		e.stopped(t)
	})
}
