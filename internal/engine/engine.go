// Package engine is the daemon's core: health, role, operator's wishes and
// configuration go in, the kernel's IPVS table and orders to VRRP come out.
//
// One goroutine, Run's, owns all state. It is the only writer to IPVS. Others
// send it values on channels and read immutable snapshots. It works by level:
// it takes all that has happened, decides the desired table, and applies the
// difference to what the kernel holds; what failed is tried again, and at every
// resync the kernel is compared with what it should hold.
package engine

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/bfd"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

// beatInterval is how often the engine proves to VRRP and to the watchdog that
// it is alive, and looks after what is due.
const beatInterval = time.Second

// ErrLeave, as the cause of a cancelled context, makes Run end without touching
// anything: VRRP, addresses and IPVS stay as they are for a successor.
var ErrLeave = errors.New("left to a successor")

// errEnded answers those who ask when the engine has ended.
var errEnded = errors.New("the daemon has ended")

// Options are what an Engine is made of.
type Options struct {
	Log    *zap.Logger
	Config *conf.Config                   // to start with
	Loader func() (*conf.Config, error)   // reads the configuration again, for a reload
	Open   func() (ipvsctl.Kernel, error) // opens the kernel's table; tried again until it works
	Marks  MarkKernel                     // gives packets their marks; nil: none are given
	Router vrrp.Router                    // run from the first configuration on that has groups
	Pool   *checks.Pool
	// Sessions are with BFD neighbours; nil: there are none, whatever is configured.
	Sessions Sessions
	// Settings is where the kernel's settings are: /proc/sys. Empty: none are touched.
	Settings ipvsctl.SettingsTree
	Version  string
}

// Engine is the core of the daemon.
type Engine struct {
	opts    Options
	log     *zap.Logger
	journal *Journal
	calls   chan call
	loaded  chan loaded
	listed  chan listing
	ready   chan struct{} // closed after the first successful apply
	ended   chan struct{} // closed when Run is over: nobody answers any more
	beat    atomic.Int64  // time of the loop's last turn, UnixNano
	public  atomic.Pointer[Status]

	// What follows belongs to Run's goroutine.
	config    *conf.Config
	services  []*service
	byName    map[string]*service
	users     map[checks.Key][]user
	health    map[checks.Key]checks.Result
	dirty     map[*service]struct{} // to be planned anew
	over      overrides
	table     table
	roles     roles
	sessions  sessions
	reloads   reloads
	hooks     hookQueue
	realHooks realHooks
	fifos     fifos
	settings  settings
	marking   marking
	ways      ways
	pace      pace

	overUnread  bool // the file of over is there and could not be read
	maintenance maintenance
	answers     []answer
	started     time.Time
	stale       bool // the published status is out of date
}

// call is a question or command of another goroutine, done by Run's.
type call struct {
	do    func() error
	reply chan<- error
}

// New returns an Engine that does nothing until Run.
func New(opts Options) *Engine {
	e := &Engine{
		opts:    opts,
		log:     opts.Log,
		journal: newJournal(),
		calls:   make(chan call),
		loaded:  make(chan loaded),
		listed:  make(chan listing),
		ready:   make(chan struct{}),
		ended:   make(chan struct{}),
		health:  make(map[checks.Key]checks.Result),
		dirty:   make(map[*service]struct{}),
		over:    overrides{},
		hooks:   newHookQueue(),
	}
	e.public.Store(&Status{Version: opts.Version, Node: opts.Config.Node})
	return e
}

// Journal returns the events of this run.
func (e *Engine) Journal() *Journal { return e.journal }

// Ready is closed when the kernel has held what it should for the first time.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// LastBeat returns when the engine's loop last turned: the proof of life for a watchdog.
func (e *Engine) LastBeat() time.Time { return time.Unix(0, e.beat.Load()) }

// Run works until ctx is done and then stops in order: VRRP first, then IPVS
// as on_stop says, then the hooks of the stop are run, then the checks end. If the cause is ErrLeave it stops only
// itself and the checks.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	// Cancelling ctx must not stop everything at once: these have contexts of their own.
	background := context.WithoutCancel(ctx)
	var running parts
	poolCtx, stopPool := context.WithCancel(background)
	hookCtx, stopHooks := context.WithCancel(background)
	bfdCtx, stopSessions := context.WithCancelCause(background)
	running.start("checks", func() { e.finished("checks", e.opts.Pool.Run(poolCtx)) })
	if e.opts.Sessions != nil {
		e.sessions = sessions{reports: e.opts.Sessions.Reports(), known: make(map[string]bfd.Status)}
		running.start("bfd", func() { e.finished("bfd", e.opts.Sessions.Run(bfdCtx)) })
	}
	e.reloads.load = func() {
		running.start("reading of the configuration", func() {
			config, err := e.opts.Loader()
			select {
			case e.loaded <- loaded{config, err}:
			case <-e.ended:
			}
		})
	}
	e.maintenance.list = func(dir string) {
		running.start("reading of "+dir, func() {
			files, err := listMaintenance(dir)
			select {
			case e.listed <- listing{dir, files, err}:
			case <-e.ended:
			}
		})
	}
	e.hooks.left = func(h hookRun, why string) { e.event(h.event(why)) }
	e.hooks.run = func(h hookRun) {
		running.start("hooks", func() {
			ev := h.run(hookCtx)
			select {
			case e.hooks.done <- ev:
			case <-hookCtx.Done():
			}
		})
	}
	e.realHooks.left, e.realHooks.run = e.hooks.left, e.hooks.run
	e.fifos.run = func(f *fifo) {
		fifoCtx, stop := context.WithCancel(hookCtx)
		f.stop = stop
		running.start("notify_fifo "+f.Path, func() { defer stop(); f.write(fifoCtx) })
	}
	e.roles.start = func() { e.roles.run(background, e.opts.Router, e.log) }

	e.begin()
	e.loop(ctx)

	if errors.Is(context.Cause(ctx), ErrLeave) {
		e.event(Event{Kind: KindStart, To: "left", Reason: "VRRP and IPVS stay as they are for a successor"})
		e.roles.leave()
		stopSessions(bfd.ErrSilent)
	} else {
		e.shutdown()
		e.restoreSettings()
		e.runStopHooks()
	}
	e.endFIFOs()
	stopSessions(nil)
	stopHooks()
	stopPool()
	e.drainResults(&running)
	e.table.close()
	return nil
}

// finished logs why a part ended, if it should not have.
func (e *Engine) finished(part string, err error) {
	if err != nil {
		e.log.Error("a part of the daemon ended", zap.String("part", part), zap.Error(err))
	}
}

// begin sets the engine up before its first turn.
func (e *Engine) begin() {
	e.started = time.Now()
	e.event(Event{Kind: KindStart, To: "started", Reason: "version " + e.opts.Version})
	e.loadOverrides(e.opts.Config.StateDir)
	e.table.open = e.opts.Open
	e.table.own = loadOwned(e.opts.Config.StateDir, e.log)
	e.marking = marking{kernel: e.opts.Marks, ever: e.table.own.hasMark(e.opts.Config.IPVS.ProbeMarks)}
	e.ways = ways{path: filepath.Join(e.opts.Config.StateDir, waysFile), numbers: loadWayNumbers(e.opts.Config.StateDir, e.log)}
	e.settings = loadSettings(e.opts.Settings, e.opts.Config.StateDir, e.log)
	e.adopt(e.opts.Config)
	e.install(e.opts.Config)
	e.readMaintenance()
	e.settle()
}

// loop turns until ctx is done.
func (e *Engine) loop(ctx context.Context) {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	resync := time.NewTimer(e.config.IPVS.Resync)
	defer resync.Stop()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		retry.Stop()
		if wait, needed := e.table.retryIn(); needed {
			retry.Reset(max(wait, 1)) // never none: see someWait of package vrrp
		}
		select {
		case <-ctx.Done():
			return
		case r := <-e.opts.Pool.Results():
			e.takeResult(r)
			e.takeResults()
		case r := <-e.roles.reports:
			e.takeReport(r)
		case r := <-e.sessions.reports:
			e.takeSessions(r)
		case c := <-e.calls:
			e.owe(c.reply, c.do())
		case l := <-e.loaded:
			was := e.config.IPVS.Resync
			if e.takeLoaded(l); e.config.IPVS.Resync != was {
				resync.Reset(e.config.IPVS.Resync)
			}
		case l := <-e.listed:
			e.takeListing(l)
		case done := <-e.hooks.done:
			e.takeHook(done)
		case <-beat.C:
			e.onBeat()
		case <-retry.C:
		case <-resync.C:
			e.resync()
			e.checkMarks()
			e.keepSettings()
			resync.Reset(e.config.IPVS.Resync)
		}
		e.settle()
	}
}

// onBeat does what is due once a second.
func (e *Engine) onBeat() {
	now := time.Now()
	e.depart(now)
	for _, s := range e.services {
		if s.vs.SlowStart > 0 && s.warm(now) {
			e.invalidate(s)
		}
	}
	e.watchPace(now)
	e.lookAtMaintenance()
	e.lookAtScripts()
	e.roles.resend()
	e.stale = true
}

// settle makes the kernel and the published status follow what has changed.
func (e *Engine) settle() {
	e.beat.Store(time.Now().UnixNano())
	e.ways.looked = false
	e.replan()
	e.order()
	e.addMarks()
	e.reconcile()
	e.trimMarks()
	e.publish()
	e.pay()
}

// answer is what somebody who waits is to be told.
type answer struct {
	to  chan<- error
	err error
}

// owe notes an answer, and pay gives all of them: when what was asked for has
// reached the kernel, or has been tried.
func (e *Engine) owe(to chan<- error, err error) { e.answers = append(e.answers, answer{to, err}) }

func (e *Engine) pay() {
	for _, a := range e.answers {
		a.to <- a.err
	}
	e.answers = nil
}

// event records something that happened: in the journal and in the log.
func (e *Engine) event(ev Event) {
	ev.Time = time.Now()
	ev = e.journal.add(ev)
	logEvent(e.log, ev)
	e.stale = true
	e.tellFIFOs(ev)
}

// ask does f in the engine's goroutine and returns its answer.
func (e *Engine) ask(ctx context.Context, f func() error) error {
	reply := make(chan error, 1)
	select {
	case e.calls <- call{f, reply}:
	case <-e.ended:
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return <-reply
}
