package worker

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/vrrp"
)

// worker starts a worker that no engine has started, and returns it.
func (m *machine) worker() *fakeWorker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run(nil, ours())
}

func TestOrphanLeavesByRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		e := m.engine()
		o := orders(1)
		o.Config.EngineGrace = 2 * time.Minute
		e.beat(o, 5)
		w := m.started[0]
		e.crash()
		began := time.Now()
		<-w.over
		if took := time.Since(began); took != 2*o.Config.EngineGrace {
			t.Errorf("a worker without an engine lived for %v, want %v", took, 2*o.Config.EngineGrace)
		}
		if w.now() != vrrp.Initialize || w.err != nil {
			t.Errorf("it ended as %v, %v; want that it left by rule", w.now(), w.err)
		}
	})
}

func TestWorkerThatNobodyCallsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := (&machine{t: t}).worker()
		began := time.Now()
		<-w.over
		if took := time.Since(began); took != orphanLife || w.err != nil {
			t.Errorf("it ended after %v with %v, want after %v", took, w.err, orphanLife)
		}
	})
}

// deafRouter does not stop.
type deafRouter struct{ *fakeRouter }

func (r deafRouter) Order(vrrp.Command) {}

func TestRouterThatDoesNotStopIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		err := Serve(ctx, newPipes(), nil, deafRouter{newFakeRouter()}, testLog(t))
		if took := time.Since(began); err == nil || took != routerStop {
			t.Errorf("Serve = %v after %v, want an error after %v", err, took, routerStop)
		}
	})
}

func TestEngineThatSpeaksNonsenseIsThrownOut(t *testing.T) {
	for _, f := range []*frame{
		{Again: true}, // nothing was ordered before
		{Report: &report{}},
		{Bye: "?"},
		{Hello: &hello{Magic: magic}}, // a second one
	} {
		synctest.Test(t, func(t *testing.T) {
			w := (&machine{t: t}).worker()
			conn, err := w.ln.dial()
			if err != nil {
				t.Fatal(err)
			}
			l, err := greet(t.Context(), conn, ours())
			if err != nil {
				t.Fatal(err)
			}
			e := encoder{w: conn}
			if err := e.encode(f); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = l.dec.decode(maxFrame)
			}
			if !lost(err) {
				t.Errorf("%+v: %v, want that the connection ends", f, err)
			}
			if told := w.told(); len(told) > 0 {
				t.Errorf("%+v: the router was told %v", f, told)
			}
			w.term()
			<-w.over
			if w.err != nil {
				t.Errorf("%+v: the worker ended with %v", f, w.err)
			}
		})
	}
}

// An engine that does not read holds nothing up, and its successor is told all.
func TestEngineThatDoesNotReadIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t}
		w := m.worker()
		conn, err := w.ln.dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := greet(t.Context(), conn, ours()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until the worker has taken it for its engine
		const flaps = 50
		for range flaps {
			w.reports <- vrrp.Report{Transitions: []vrrp.Transition{w.become(vrrp.Backup, ""), w.become(vrrp.Master, "")}}
		}
		e := m.engine()
		e.beat(orders(1), 3)
		if got := len(e.transitions()); got != 2*flaps || !e.last().Connected {
			t.Errorf("the successor heard %d transitions, want %d", got, 2*flaps)
		}
		e.stopped(t)
	})
}

// What was sent over a connection that broke before it was acknowledged is
// sent again, and told to the engine once.
func TestTransitionsArriveOnceOverBrokenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, cut: true}
		w := m.worker()
		e := m.engine()
		const flaps = 100
		for range flaps {
			w.reports <- vrrp.Report{Transitions: []vrrp.Transition{w.become(vrrp.Backup, ""), w.become(vrrp.Master, "")}}
			e.beat(orders(1), 1)
			m.cutAll()
		}
		e.beat(orders(1), 30)
		got := e.transitions()
		if len(got) != 2*flaps {
			t.Errorf("%d transitions arrived, want each of %d once", len(got), 2*flaps)
		}
		if len(m.started) != 1 {
			t.Errorf("%d workers were started, want 1", len(m.started))
		}
		e.stopped(t)
	})
}

// cutAll breaks all connections of engines.
func (m *machine) cutAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		c.Close()
	}
	m.conns = nil
}

func TestLogQueueNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // a standard error that nobody reads
		q := newLineQueue(near)
		log := queueLog(q)
		flush := q.start(log)
		for range queuedLines + 101 {
			log.Info("line")
		}
		synctest.Wait()
		for range 100 {
			log.Info("line")
		}
		read := make(chan string)
		go func() {
			var all strings.Builder
			buf := make([]byte, 4096)
			for {
				n, err := far.Read(buf)
				all.Write(buf[:n])
				if err != nil {
					read <- all.String()
					return
				}
			}
		}()
		synctest.Wait()
		flush()
		near.Close()
		got := <-read
		lines, dropped := strings.Count(got, `"line"`), strings.Count(got, "dropped")
		if lines < queuedLines || lines > queuedLines+1 || dropped != 1 {
			t.Errorf("%d lines and %d words of dropped ones, want %d and 1", lines, dropped, queuedLines)
		}

		// One that nobody ever reads does not hold the end up for long.
		near, _ = net.Pipe()
		q = newLineQueue(near)
		flush = q.start(log)
		q.Write([]byte("line"))
		synctest.Wait()
		began := time.Now()
		flush()
		if took := time.Since(began); took != time.Second {
			t.Errorf("flush took %v, want 1s", took)
		}
		near.Close()
	})
}
