package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// serve speaks with one worker until the connection ends. It returns errNone
// when the worker has ended because it was told to.
func (c *Client) serve(ctx context.Context, l *link, p handle) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.close()
	l.start(&wg)

	if l.peer.Instance != c.instance {
		c.instance, c.seen = l.peer.Instance, 0
	}
	c.problem = ""
	s := session{Client: c, link: l, proc: p}
	// The worker may have been started for these orders, or have waited for an
	// engine: tell it at once, unless the engine itself has long been silent.
	if lv := c.mail.level(); lv.orders != nil && time.Since(lv.at) < max(lv.orders.Config.EngineGrace, quietLimit*quietTick) {
		s.todo.orders = lv.orders
	}
	s.todo.collect(c.mail)
	return s.run(ctx)
}

// session is one connection to one worker.
type session struct {
	*Client
	link  *link
	proc  handle
	todo  dispatch
	quiet int    // ticks since the last report
	bye   string // the worker's last word
	tried int    // ticks since it was told to stop
}

func (s *session) run(ctx context.Context) error {
	tick := time.NewTicker(quietTick)
	defer tick.Stop()
	for {
		out := s.link.out
		f, written := s.todo.next()
		if f == nil {
			out = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.mail.wake:
			s.todo.collect(s.mail)
		case out <- f:
			written()
		case f, ok := <-s.link.in:
			if !ok {
				return s.over(ctx)
			}
			if err := s.take(f); err != nil {
				return err
			}
		case <-tick.C:
			if err := s.onTick(ctx); err != nil {
				return err
			}
		}
	}
}

// take deals with a frame from the worker.
func (s *session) take(f *frame) error {
	switch {
	case f.Report != nil:
		if s.quiet >= quietLimit {
			s.log.Info("VRRP worker answers again")
		}
		s.quiet = 0
		r := f.Report
		if n := uint64(len(r.Transitions)); n > 0 {
			// Those up to seen came over an earlier connection.
			known := min(n, max(s.seen+1, r.First)-r.First)
			r.Transitions = r.Transitions[known:]
			s.seen = max(s.seen, r.First+n-1)
			s.todo.ack = s.seen
		}
		r.Connected = true
		s.post <- r.Report
	case f.Bye != "":
		s.bye = f.Bye
	default:
		return fmt.Errorf("%w: the worker speaks like an engine", errFrame)
	}
	return nil
}

// onTick watches over a worker that is silent, or does not stop.
func (s *session) onTick(ctx context.Context) error {
	if s.todo.stop {
		if s.tried++; time.Duration(s.tried)*quietTick >= stopTimeout {
			s.end(ctx, s.proc, time.Second)
			return errors.New("did not stop when told to")
		}
		return nil
	}
	switch s.quiet++; s.quiet {
	case quietLimit:
		s.disconnected(fmt.Errorf("silent for %v", quietLimit*quietTick))
		s.problem = ""
	case hungLimit:
		s.log.Error("VRRP worker hangs and is replaced", zap.Duration("silent", hungLimit*quietTick))
		s.end(ctx, s.proc, time.Second)
		return fmt.Errorf("silent for %v and was killed", hungLimit*quietTick)
	}
	return nil
}

// over says why a connection has ended.
func (s *session) over(ctx context.Context) error {
	if s.todo.stopped {
		// It has closed the connection; what is left is its last breath.
		if !s.proc.ended(ctx, stopTimeout) && ctx.Err() == nil {
			s.log.Error("VRRP worker does not end and is killed")
			if err := s.proc.signal(syscall.SIGKILL); err != nil {
				s.log.Error("cannot kill VRRP worker", zap.Error(err))
			}
			s.proc.ended(ctx, stopTimeout)
		}
		s.proc.fate()
		return errNone
	}
	s.yield = s.bye == byeReplaced || s.bye == byeYield
	ended := !s.yield && s.proc.ended(ctx, time.Second)
	switch {
	case s.bye != "":
		return errors.New(s.bye)
	case ended:
		return errors.New(s.proc.fate())
	default:
		return s.link.err
	}
}
