package worker

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/vrrp"
)

// beat gives the orders as the engine does, once a second.
func (e *engine) beat(o *vrrp.Orders, seconds int) {
	for range seconds {
		e.Order(vrrp.Command{Orders: o})
		time.Sleep(time.Second)
	}
	synctest.Wait()
}

// stopped orders a stop and waits for the end of Run.
func (e *engine) stopped(t *testing.T) {
	t.Helper()
	e.Order(vrrp.Command{Stop: true})
	select {
	case <-e.over:
	case <-time.After(time.Minute):
		t.Error("an ordered stop did not end Run within a minute")
	}
}

func TestWorkerIsStartedOrderedAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(1), 3)
		if !e.last().Connected || e.last().Status[0].State != vrrp.Master {
			t.Errorf("after orders: %+v, want a connected master", e.last())
		}
		e.stopped(t)
		if diff := cmp.Diff([]string{"INIT>MASTER", "MASTER>INIT"}, e.transitions()); diff != "" {
			t.Errorf("transitions (-want +got):\n%s", diff)
		}
		if len(m.started) != 1 || m.current != nil {
			t.Errorf("%d workers were started, %v runs; want 1 and none", len(m.started), m.current)
		}
	})
}

func TestEngineIsNeverSpokenFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		o := orders(1)
		e.beat(o, 3)
		w := m.started[0]
		before := len(w.told())
		if before != 3 {
			t.Errorf("the router was told %d times, want each of the 3 orders once", before)
		}
		time.Sleep(8 * time.Second) // the engine is silent
		synctest.Wait()
		if now := len(w.told()); now != before {
			t.Errorf("a silent engine's orders were repeated: %d, then %d", before, now)
		}
		e.Order(vrrp.Command{Orders: o})
		synctest.Wait()
		if told := w.told(); len(told) != before+1 || time.Since(told[before].at) != 0 {
			t.Error("orders were not passed on at once")
		}
		e.stopped(t)
	})
}

func TestEngineRestartKeepsTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		first := m.engine()
		first.beat(orders(1), 2)
		first.crash()

		// What happens while no engine is there is told to the next one.
		w := m.started[0]
		time.Sleep(2 * time.Second)
		w.reports <- vrrp.Report{Transitions: []vrrp.Transition{w.become(vrrp.Backup, "peer")}, Connected: true}
		w.reports <- vrrp.Report{Transitions: []vrrp.Transition{w.become(vrrp.Master, "no peer")}, Connected: true}

		second := m.engine()
		second.beat(orders(1), 2)
		if len(m.started) != 1 {
			t.Errorf("%d workers were started, want 1", len(m.started))
		}
		if diff := cmp.Diff([]string{"INIT>MASTER"}, first.transitions()); diff != "" {
			t.Errorf("first engine's transitions (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"MASTER>BACKUP", "BACKUP>MASTER"}, second.transitions()); diff != "" {
			t.Errorf("second engine's transitions (-want +got):\n%s", diff)
		}
		if got := second.last(); !got.Connected || got.Status[0].State != vrrp.Master {
			t.Errorf("second engine was told %+v, want a connected master", got)
		}
		second.stopped(t)
	})
}

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

func TestStaleOrdersAreNotRepeatedToANewWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(1), 1)
		time.Sleep(time.Minute) // the engine's goroutine hangs
		m.started[0].signal(9)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(m.started) != 2 || len(m.started[1].told()) != 0 {
			t.Errorf("%d workers; the second was told %v: want nothing from a silent engine", len(m.started), m.started[1].told())
		}
		e.beat(orders(1), 1)
		if len(m.started[1].told()) != 1 {
			t.Errorf("the second worker was told %v, want the orders once the engine speaks", m.started[1].told())
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

func TestNoWorkerWithoutGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(0), 3)
		if len(m.started) != 0 {
			t.Fatal("a worker was started for no group")
		}
		e.beat(orders(1), 2)
		e.beat(orders(0), 2)
		if len(m.started) != 1 || m.current != nil {
			t.Errorf("%d workers started, %v runs: want that it ended with its last group", len(m.started), m.current)
		}
		if diff := cmp.Diff([]string{"INIT>MASTER", "MASTER>INIT"}, e.transitions()); diff != "" {
			t.Errorf("transitions (-want +got):\n%s", diff)
		}
		e.beat(orders(1), 2)
		if len(m.started) != 2 || !e.last().Connected {
			t.Errorf("%d workers started, want another for the new group", len(m.started))
		}
		e.stopped(t)
	})
}

func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		e.beat(orders(1), 2)
		e.Order(vrrp.Command{Failover: []string{}})
		e.Order(vrrp.Command{Failover: []string{"front"}})
		synctest.Wait()
		told := m.started[0].told()
		last := told[len(told)-2:]
		if last[0].Failover == nil || len(last[0].Failover) != 0 {
			t.Errorf("failover of all arrived as %#v", last[0].Failover)
		}
		if diff := cmp.Diff([]string{"front"}, last[1].Failover); diff != "" {
			t.Errorf("failover (-want +got):\n%s", diff)
		}

		// One that nobody could carry out is not made up for much later.
		m.mu.Lock()
		m.refuse = errors.New("not now")
		m.mu.Unlock()
		m.started[0].signal(9)
		synctest.Wait()
		e.Order(vrrp.Command{Failover: []string{"late"}})
		e.beat(orders(1), 10)
		m.mu.Lock()
		m.refuse = nil
		m.mu.Unlock()
		e.beat(orders(1), 10)
		for _, h := range m.started[1].told() {
			if h.Failover != nil {
				t.Errorf("a failover that was asked for 10 s ago was carried out: %v", h.Failover)
			}
		}
		e.stopped(t)
	})
}

func TestTheNewestEngineHasTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		a := m.engine()
		a.beat(orders(1), 2)
		b := m.engine()
		for range 30 {
			a.Order(vrrp.Command{Orders: orders(1)})
			b.beat(orders(1), 1)
		}
		if a.last().Connected || !b.last().Connected {
			t.Errorf("connected: older %v, newer %v; want the newer alone", a.last().Connected, b.last().Connected)
		}
		if got := strings.Join(a.last().Problems, ""); !strings.Contains(got, byeYield) {
			t.Errorf("the older engine was told %q, want %q", got, byeYield)
		}
		b.crash()
		a.beat(orders(1), 15)
		if !a.last().Connected || len(m.started) != 1 {
			t.Errorf("connected %v with %d workers, want that the older has the worker again", a.last().Connected, len(m.started))
		}
		a.stopped(t)
	})
}

func TestStopWithoutAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, refuse: errors.New("not now")}
		e := m.engine()
		e.stopped(t)
		e = m.engine()
		e.beat(orders(1), 30)
		began := time.Now()
		e.stopped(t)
		if took := time.Since(began); took > time.Second {
			t.Errorf("stop took %v although no worker runs", took)
		}
	})
}

func TestSlowEngineLosesNoTransition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		c := newClient(m, zaptest.NewLogger(t))
		over := make(chan error)
		go func() { over <- c.Run(t.Context()) }()
		c.Order(vrrp.Command{Orders: orders(1)})
		synctest.Wait()
		w := m.started[0]
		const flaps = 500
		for range flaps {
			w.reports <- vrrp.Report{Transitions: []vrrp.Transition{w.become(vrrp.Backup, ""), w.become(vrrp.Master, "")}}
			time.Sleep(10 * time.Millisecond)
		}
		var got []vrrp.Transition
		for len(got) < 2*flaps+1 {
			got = append(got, (<-c.Reports()).Transitions...)
		}
		for i := 1; i < len(got); i++ {
			if got[i].From != got[i-1].To {
				t.Fatalf("transition %d is %v>%v after %v>%v", i, got[i].From, got[i].To, got[i-1].From, got[i-1].To)
			}
		}
		c.Order(vrrp.Command{Stop: true})
		for {
			select {
			case <-c.Reports():
				continue
			case err := <-over:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			}
			break
		}
	})
}
