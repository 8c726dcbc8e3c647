package worker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/vrrp"
)

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
