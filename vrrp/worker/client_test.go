package worker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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

// stopped orders a stop and waits for the end of Run, and until its last report
// has been noted.
func (e *engine) stopped(t *testing.T) {
	t.Helper()
	defer synctest.Wait()
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
