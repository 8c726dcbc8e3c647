package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/vrrp"
)

// Why a worker ends a connection.
const (
	byeReplaced = "another engine has taken over"
	byeYield    = "another engine is connected"
	byeStopped  = "stopped"
)

const (
	// maxGreeting bounds the connections that have not said hello yet.
	maxGreeting = 256
	// orphanLife is how long a worker lives at least when no engine is connected.
	orphanLife = time.Minute
	// routerStop is how long the router may take to leave by rule: less than
	// the engine grants the whole worker.
	routerStop = vrrp.StopTimeout + time.Second
)

// server is the worker's end: it hands orders to a Router and its reports to
// whichever engine is connected.
type server struct {
	log    *zap.Logger
	router vrrp.Router
	hello  hello
	joined chan *link // engines that said hello
	wg     sync.WaitGroup

	// What follows belongs to run's goroutine.
	box     outbox
	link    *link  // nil while no engine is connected
	sent    uint64 // number of the last transition written to link
	orders  *vrrp.Orders
	ordered *link            // the link that orders came by
	overdue <-chan time.Time // the router should have stopped by then
}

// Serve runs router for whichever engine connects, until ctx is done or an
// engine orders a stop; both leave mastership by rule. A worker that no engine
// speaks to for some minutes ends as well: the router has given mastership up
// by then, and whoever comes later starts another. If first is not nil, it is
// a connection that an engine is at already. Serve closes ln and first.
func Serve(ctx context.Context, ln net.Listener, first net.Conn, router vrrp.Router, log *zap.Logger) error {
	return newServer(router, log).serve(ctx, ln, first)
}

func newServer(router vrrp.Router, log *zap.Logger) *server {
	s := &server{log: log, router: router, hello: ours(), joined: make(chan *link)}
	s.hello.Instance = rand.Text()
	return s
}

func (s *server) serve(ctx context.Context, ln net.Listener, first net.Conn) error {
	serving, done := context.WithCancel(context.WithoutCancel(ctx))
	routing := make(chan error, 1)
	s.wg.Go(func() { routing <- s.router.Run(serving) })
	s.wg.Go(func() { s.accept(serving, ln, first) })

	err := s.run(ctx, routing)
	done()
	ln.Close()
	if s.link != nil {
		s.link.close()
	}
	s.wg.Wait()
	return err
}

// accept greets those who connect.
func (s *server) accept(ctx context.Context, ln net.Listener, first net.Conn) {
	room := make(chan struct{}, maxGreeting)
	meet := func(conn net.Conn) {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		s.wg.Go(func() {
			defer func() { <-room }()
			s.greet(ctx, conn)
		})
	}
	if first != nil {
		meet(first)
	}
	for ctx.Err() == nil {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			meet(conn)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			// Out of files or memory: VRRP goes on, and so must this.
			s.log.Error("cannot accept connections", zap.Error(err))
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

func (s *server) greet(ctx context.Context, conn net.Conn) {
	l, err := greet(ctx, conn, s.hello)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("connection refused", zap.Error(err))
		}
		return
	}
	select {
	case s.joined <- l:
	case <-ctx.Done():
		l.close()
	}
}

// run is the loop that owns the server's state. It never waits for an engine.
func (s *server) run(ctx context.Context, routing <-chan error) error {
	orphan := time.NewTimer(s.orphanLife())
	defer orphan.Stop()
	quit := ctx.Done()
	for {
		out, f := s.next()
		var in <-chan *frame
		if s.link != nil {
			in = s.link.in
		}
		select {
		case r := <-s.router.Reports():
			s.box.add(r)
		case out <- f:
			s.wrote(f)
		case l := <-s.joined:
			s.join(l)
		case f, ok := <-in:
			err := error(nil)
			if ok {
				err = s.take(f)
			} else {
				err = s.link.err
			}
			if err != nil {
				s.leave(err)
				orphan.Reset(s.orphanLife())
			}
		case <-orphan.C:
			if s.link == nil {
				s.log.Warn("no engine speaks to this VRRP worker, it stops")
				s.stop()
			}
		case <-quit:
			quit = nil
			s.log.Info("VRRP worker told to end, it stops")
			s.stop()
		case <-s.overdue:
			return fmt.Errorf("stop vrrp: not done after %v", routerStop)
		case err := <-routing:
			if err != nil {
				err = fmt.Errorf("run vrrp: %w", err)
			}
			s.drain(err)
			return err
		}
	}
}

// stop makes the router leave by rule; its Run then ends, and so does the worker.
func (s *server) stop() {
	s.router.Order(vrrp.Command{Stop: true})
	if s.overdue == nil {
		s.overdue = time.After(routerStop)
	}
}

// orphanLife is how long the worker lives without an engine: longer than VRRP
// goes on without one.
func (s *server) orphanLife() time.Duration {
	if s.orders == nil {
		return orphanLife
	}
	return max(orphanLife, 2*s.orders.Config.EngineGrace)
}

// join makes l the engine's connection. The newest engine is the right one: the
// older may be a process that hangs.
func (s *server) join(l *link) {
	l.start(&s.wg)
	if s.link != nil {
		if l.peer.Yield {
			s.wg.Go(func() { l.part(&frame{Bye: byeYield}) })
			return
		}
		old := s.link
		s.wg.Go(func() { old.part(&frame{Bye: byeReplaced}) })
		s.log.Warn("another engine has taken over")
	}
	s.log.Info("engine connected")
	s.link, s.sent = l, 0
	s.box.anew() // whoever comes is told what is known
}

// leave forgets an engine that went away or did wrong.
func (s *server) leave(err error) {
	if lost(err) {
		s.log.Info("engine disconnected")
	} else {
		s.log.Warn("engine disconnected", zap.Error(err))
	}
	s.link.close()
	s.link = nil
}

// take deals with a frame from the engine.
func (s *server) take(f *frame) error {
	switch {
	case f.Command != nil:
		if f.Command.Orders != nil {
			s.orders, s.ordered = f.Command.Orders, s.link
		}
		if f.Command.Stop {
			s.log.Info("VRRP worker ordered to stop")
			s.stop()
			return nil
		}
		s.router.Order(*f.Command)
	case f.Again:
		if s.ordered != s.link {
			return fmt.Errorf("%w: orders again that were not given before", errFrame)
		}
		s.router.Order(vrrp.Command{Orders: s.orders})
	case f.Ack != 0:
		s.box.forget(f.Ack)
	default:
		return fmt.Errorf("%w: the engine speaks like a worker", errFrame)
	}
	return nil
}

// next returns the report that the engine is owed, and nil if it is owed none.
func (s *server) next() (chan<- *frame, *frame) {
	if s.link == nil || !s.box.changed {
		return nil, nil
	}
	r := s.box.after(s.sent + 1)
	return s.link.out, &frame{Report: &r}
}

// wrote notes what the engine has been told. Transitions are kept until it
// says that they have arrived.
func (s *server) wrote(f *frame) {
	if r := f.Report; len(r.Transitions) > 0 {
		s.sent = r.First + uint64(len(r.Transitions)) - 1
	}
	s.box.told()
}

// drain tells the engine what the router reported at its end, and how that was.
func (s *server) drain(err error) {
	for {
		select {
		case r := <-s.router.Reports():
			s.box.add(r)
			continue
		default:
		}
		break
	}
	if s.link == nil {
		return
	}
	r := s.box.after(s.sent + 1)
	bye := byeStopped
	if err != nil {
		bye = err.Error()
	}
	s.link.part(&frame{Report: &r}, &frame{Bye: bye})
}
