package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/vrrp"
)

const (
	// stopTimeout is how long an ordered stop may take before the worker is
	// killed: a little longer than the router's own bound. Its addresses then end
	// with their lease.
	stopTimeout = vrrp.StopTimeout + 3*time.Second
	// quietTick and the two counts of it say when a worker that reports
	// nothing is called out of order, and when it is killed. Ticks are counted
	// and not time, so that an engine that was itself stopped blames nobody.
	quietTick  = time.Second
	quietLimit = 4
	hungLimit  = 15

	backoffMin  = 100 * time.Millisecond
	backoffMax  = 10 * time.Second
	steadyAfter = 10 * time.Second // a worker that served so long starts over at backoffMin
)

// errNone says that no worker runs.
var errNone = errors.New("no worker runs")

// errDied says that a worker ended before it answered.
var errDied = errors.New("it ended before it answered")

// source is where a Client gets its worker from: the operating system, or the
// script of a test.
type source interface {
	// find connects to the worker that runs. The error is errNone if none does.
	find(ctx context.Context) (born, error)
	// start starts a worker and returns the connection it is born with.
	start(ctx context.Context) (born, error)
}

// born is a connection and the process at its other end.
type born struct {
	conn net.Conn
	proc handle
	// sure says that the process is known to be a worker of ours, whatever it
	// answers, and may be ended by force.
	sure bool
}

// handle holds a worker's process. See process.
type handle interface {
	signal(syscall.Signal) error
	ended(ctx context.Context, d time.Duration) bool
	fate() string
	close()
}

// Client is VRRP in a process of its own, as the engine sees it: a vrrp.Router.
//
// It finds the worker that runs in the runtime directory or starts one, starts
// it again when it dies, and tells it what the engine orders. It never speaks
// for the engine: what it writes is proof that the engine lives, and so it
// writes only when Order is called, and once when it connects. A worker is
// kept only while the orders have groups.
//
// Run ends an ordered stop when the worker has ended. If its context ends
// before, the worker goes on without an engine, for a successor to find.
type Client struct {
	log     *zap.Logger
	source  source
	mail    *mailbox
	reports chan vrrp.Report

	// What follows belongs to Run's goroutine.
	post     chan vrrp.Report // to the engine, through a bounded queue
	yield    bool             // another engine took the worker from us: do not take it back
	instance string           // the worker that seen counts the transitions of
	seen     uint64           // number of the last transition that arrived
	problem  string           // posted last, while not connected
}

var _ vrrp.Router = (*Client)(nil)

// NewClient returns a Client that does nothing until Run.
func NewClient(opts Options) (*Client, error) {
	src, err := newSource(opts)
	if err != nil {
		return nil, err
	}
	return newClient(src, opts.Log), nil
}

func newClient(src source, log *zap.Logger) *Client {
	return &Client{
		log:     log,
		source:  src,
		mail:    newMailbox(),
		reports: make(chan vrrp.Report),
		post:    make(chan vrrp.Report),
	}
}

// Order replaces the orders, or asks for something to be done once. It never
// blocks. What c points to must not be changed afterwards. A failover that
// finds no worker within three seconds is forgotten.
func (c *Client) Order(cmd vrrp.Command) { c.mail.put(cmd) }

// Reports is where the worker's reports arrive, and those of the Client itself
// on whether a worker answers.
func (c *Client) Reports() <-chan vrrp.Report { return c.reports }

// Run works until ctx is done, or until a stop was ordered and the worker has ended.
func (c *Client) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(c.post)
	wg.Go(func() { c.deliver(ctx) })

	var pause time.Duration
	for ctx.Err() == nil {
		l := c.mail.level()
		if l.orders == nil && !l.stop {
			c.wait(ctx) // the engine has not spoken yet
			continue
		}
		began := time.Now()
		err := c.attend(ctx)
		switch {
		case errors.Is(err, errNone):
			if l = c.mail.level(); l.stop {
				return nil
			}
			if pause = 0; l.idle() {
				c.wait(ctx)
			}
			continue
		case time.Since(began) >= steadyAfter:
			pause = 0
		}
		if ctx.Err() != nil {
			return nil
		}
		c.disconnected(err)
		if pause > 0 {
			c.rest(ctx, pause)
		}
		pause = min(max(2*pause, backoffMin), backoffMax)
	}
	return nil
}

// wait waits until the engine says something.
func (c *Client) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.mail.wake:
	}
}

// rest waits for d, or until a stop is ordered.
func (c *Client) rest(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for ctx.Err() == nil && !c.mail.level().stop {
		c.wait(ctx)
	}
}

// disconnected tells the engine that no worker answers, and why.
func (c *Client) disconnected(err error) {
	if err == nil {
		err = errors.New("the connection ended")
	}
	if c.problem == err.Error() {
		return
	}
	c.problem = err.Error()
	c.log.Warn("VRRP worker lost, will be found or started again", zap.Error(err))
	c.post <- vrrp.Report{Problems: []string{"vrrp worker: " + c.problem}}
}

// attend finds or starts a worker and serves it until the connection ends.
func (c *Client) attend(ctx context.Context) error {
	err := c.try(ctx, c.source.find)
	if errors.Is(err, errDied) {
		// It was on its way out when it was found.
		err = errNone
	}
	if !errors.Is(err, errNone) || c.mail.level().idle() {
		return err
	}
	return c.try(ctx, func(ctx context.Context) (born, error) {
		b, err := c.source.start(ctx)
		if err == nil {
			c.log.Info("VRRP worker started")
		}
		return b, err
	})
}

// try gets a worker and serves it until the connection ends.
func (c *Client) try(ctx context.Context, get func(context.Context) (born, error)) error {
	b, err := get(ctx)
	if err != nil {
		return err
	}
	defer b.proc.close()
	mine := ours()
	mine.Yield = c.yield
	link, err := greet(ctx, b.conn, mine)
	if err != nil {
		return c.refused(ctx, b, err)
	}
	defer link.close()
	return c.serve(ctx, link, b.proc)
}

// refused decides what becomes of a worker that gave no proper hello.
func (c *Client) refused(ctx context.Context, b born, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNotOurs):
		c.log.Info("VRRP worker is of another version and is replaced", zap.Error(err))
		c.end(ctx, b.proc, stopTimeout)
	case b.sure && silent(err):
		c.log.Warn("VRRP worker does not answer and is replaced", zap.Error(err))
		c.end(ctx, b.proc, time.Second)
	case lost(err) && b.proc.ended(ctx, time.Second):
		err = fmt.Errorf("%w: %s", errDied, b.proc.fate())
	}
	return err
}

// end makes a worker leave by rule, which SIGTERM means to every version of
// it, and kills it if it has not ended after d.
func (c *Client) end(ctx context.Context, p handle, d time.Duration) {
	if err := p.signal(syscall.SIGTERM); err != nil {
		c.log.Error("cannot stop VRRP worker", zap.Error(err))
		return
	}
	if !p.ended(ctx, d) && ctx.Err() == nil {
		c.log.Error("VRRP worker does not stop and is killed; its addresses end with their lease")
		if err := p.signal(syscall.SIGKILL); err != nil {
			c.log.Error("cannot kill VRRP worker", zap.Error(err))
		}
		p.ended(ctx, d)
	}
	p.fate()
}

// deliver hands reports to the engine. What the engine is slow to take is kept
// within bounds. It ends with ctx, or after an ordered stop when the last
// report was taken.
func (c *Client) deliver(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var box outbox
	post := c.post
	for post != nil || box.changed {
		var reports chan<- vrrp.Report
		var r report
		if box.changed {
			reports, r = c.reports, box.after(0)
		}
		select {
		case p, ok := <-post:
			if !ok {
				post = nil
				time.AfterFunc(farewellTimeout, cancel)
				continue
			}
			box.add(p)
		case reports <- r.Report:
			box.told()
			box.forget(box.next)
		case <-ctx.Done():
			// Until Run has ended it may still post.
			for range c.post {
			}
			return
		}
	}
}
