package worker

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/vrrp"
)

// fakeRouter is a vrrp.Router that does what a test says, and remembers what it
// was told and when.
type fakeRouter struct {
	reports  chan vrrp.Report
	commands chan vrrp.Command
	die      chan error
	mute     chan bool // while true it reports nothing

	mu    sync.Mutex
	heard []heard
	state vrrp.State
	note  string // the reason in every status
}

type heard struct {
	vrrp.Command
	at time.Time
}

func newFakeRouter() *fakeRouter {
	return &fakeRouter{
		reports:  make(chan vrrp.Report),
		commands: make(chan vrrp.Command, 1024),
		die:      make(chan error, 1),
		mute:     make(chan bool),
	}
}

func (r *fakeRouter) Order(c vrrp.Command) {
	r.mu.Lock()
	r.heard = append(r.heard, heard{c, time.Now()})
	r.mu.Unlock()
	r.commands <- c
}

func (r *fakeRouter) Reports() <-chan vrrp.Report { return r.reports }

func (r *fakeRouter) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	mute := false
	say := func(tr ...vrrp.Transition) {
		if mute {
			return
		}
		select {
		case r.reports <- vrrp.Report{Transitions: tr, Status: []vrrp.Status{{Group: "front", State: r.now(), Reason: r.note}}, Connected: true}:
		case <-ctx.Done():
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.die:
			return err
		case mute = <-r.mute:
		case <-tick.C:
			say()
		case c := <-r.commands:
			switch {
			case c.Stop:
				say(r.become(vrrp.Initialize, "stopped"))
				return nil
			case c.Orders != nil && r.now() == vrrp.Initialize:
				say(r.become(vrrp.Master, "ordered"))
			case c.Failover != nil:
				say(r.become(vrrp.Backup, "handed over"))
			}
		}
	}
}

func (r *fakeRouter) become(s vrrp.State, reason string) vrrp.Transition {
	r.mu.Lock()
	defer r.mu.Unlock()
	tr := vrrp.Transition{Group: "front", From: r.state, To: s, Reason: reason}
	r.state = s
	return tr
}

func (r *fakeRouter) now() vrrp.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// told returns the commands so far.
func (r *fakeRouter) told() []heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]heard(nil), r.heard...)
}

// pipes is a net.Listener in memory.
type pipes struct {
	conns chan net.Conn
	shut  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), shut: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.shut:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.shut) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.shut:
		return nil, errNone
	}
}

// machine is a fake computer on which at most one worker runs.
type machine struct {
	t *testing.T

	mu      sync.Mutex
	current *fakeWorker
	started []*fakeWorker
	refuse  error // what start answers
	cut     bool  // connections can be cut
	conns   []net.Conn
}

// fakeWorker is a worker process: a real server around a fake router.
type fakeWorker struct {
	*fakeRouter
	ln   *pipes
	term context.CancelFunc
	over chan struct{}
	deaf bool // it ignores SIGTERM
	err  error
}

var errKilled = errors.New("killed")

func (w *fakeWorker) signal(s syscall.Signal) error {
	switch {
	case s == syscall.SIGKILL:
		select {
		case w.die <- errKilled:
		default:
		}
	case !w.deaf:
		w.term()
	}
	return nil
}

func (w *fakeWorker) ended(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.over:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (w *fakeWorker) fate() string {
	select {
	case <-w.over:
		if w.err != nil {
			return w.err.Error()
		}
		return "exit status 0"
	default:
		return "ended"
	}
}

func (w *fakeWorker) close() {}

func (m *machine) find(context.Context) (born, error) {
	m.mu.Lock()
	w := m.current
	m.mu.Unlock()
	if w == nil {
		return born{}, errNone
	}
	conn, err := w.ln.dial()
	if err != nil {
		return born{}, err
	}
	if m.cut {
		m.mu.Lock()
		m.conns = append(m.conns, conn)
		m.mu.Unlock()
	}
	return born{conn: conn, proc: w, sure: true}, nil
}

func (m *machine) start(context.Context) (born, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return born{}, m.refuse
	}
	near, far := net.Pipe()
	return born{conn: near, proc: m.run(far, ours()), sure: true}, nil
}

// run starts a worker that says hello with h.
func (m *machine) run(first net.Conn, h hello) *fakeWorker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &fakeWorker{fakeRouter: newFakeRouter(), ln: newPipes(), term: cancel, over: make(chan struct{})}
	m.current = w
	m.started = append(m.started, w)
	s := newServer(w.fakeRouter, zaptest.NewLogger(m.t).Named("worker"))
	h.Instance = s.hello.Instance
	s.hello = h
	go func() {
		w.err = s.serve(ctx, w.ln, first)
		cancel()
		m.mu.Lock()
		if m.current == w {
			m.current = nil
		}
		m.mu.Unlock()
		close(w.over)
	}()
	return w
}

// engine is a Client at work, and all that it reported.
type engine struct {
	*Client
	cancel context.CancelFunc
	over   chan struct{}

	mu      sync.Mutex
	reports []vrrp.Report
}

func (m *machine) engine() *engine {
	ctx, cancel := context.WithCancel(context.Background())
	e := &engine{
		Client: newClient(m, zaptest.NewLogger(m.t).Named("engine")),
		cancel: cancel,
		over:   make(chan struct{}),
	}
	go func() {
		if err := e.Run(ctx); err != nil {
			m.t.Errorf("Run: %v", err)
		}
		cancel()
		close(e.over)
	}()
	go func() {
		for {
			select {
			case r := <-e.Reports():
				e.mu.Lock()
				e.reports = append(e.reports, r)
				e.mu.Unlock()
			case <-e.over:
				return
			}
		}
	}()
	return e
}

// crash makes the engine go away as a killed one does.
func (e *engine) crash() {
	e.cancel()
	<-e.over
}

// transitions returns all that were reported, as text.
func (e *engine) transitions() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, r := range e.reports {
		for _, tr := range r.Transitions {
			all = append(all, tr.From.String()+">"+tr.To.String())
		}
	}
	return all
}

// last returns the latest report.
func (e *engine) last() vrrp.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.reports) == 0 {
		return vrrp.Report{}
	}
	return e.reports[len(e.reports)-1]
}

// orders returns orders for n groups.
func orders(n int) *vrrp.Orders {
	o := &vrrp.Orders{Config: vrrp.Config{EngineGrace: 10 * time.Second}}
	for range n {
		o.Config.Groups = append(o.Config.Groups, vrrp.Group{Name: "front", RouterID: 51})
	}
	return o
}

func testLog(t *testing.T) *zap.Logger { return zaptest.NewLogger(t) }

// queueLog is a logger on a queue.
func queueLog(q *lineQueue) *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), q, zap.InfoLevel))
}
