package vrrp

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	atOnce       = 256 // packets of one port
	statusEvery  = time.Second
	stopPatience = 2 * time.Second // for the addresses to come off
)

// loop is the one owner of the machines and their timers. It never waits for
// the kernel's tables, for the engine or for a reader of its reports.
type loop struct {
	log    *zap.Logger
	router *Local
	host   host
	desk   desk
	group  *errgroup.Group // runs the ears
	ctx    context.Context // of the helpers

	core        core
	keeper      *keeper
	fitter      *fitter
	taps        map[tapKey]*tap
	refused     map[tapKey]string    // why a port could not be opened
	ears        map[tapKey]*listener // by interface and family
	claims      chan claim
	linkChanges chan table

	links     links     // nil until first told
	given     *Orders   // as they came
	orders    Orders    // with what earlier ones knew of tracks
	ordered   time.Time // when orders last came; zero: never
	orphaned  string    // why no engine watches the groups
	tracked   map[trackKey]counted
	trackDue  time.Time // when a track will count otherwise; zero: none will
	started   time.Time // start_delay counts from here
	stopping  bool
	leftAt    time.Time // stopping: when the last master had left
	kept      map[*member]kept
	wishing   bool      // the keeper is to be told anew
	fitAt     time.Time // when the fitter is, at the latest; zero: it is not
	fitting   fittings  // the fitter was told last
	fitted    fitted    // and what it made of it
	frame     frame     // scratch of listen
	parsed    advert    // scratch of receive
	payload   []byte    // scratch of send
	happened  []change  // since the last report
	pending   Report    // not yet taken by the reader
	told      telling   // what he knows
	tellAt    time.Time // when there is something to be told; zero: there is not
	survey    survey    // for the report that comes next
	lastState time.Time // when a status was last told
}

func newLoop(r *Local, d desk, group *errgroup.Group, ctx context.Context) *loop {
	l := &loop{
		log: r.log, router: r, host: r.host, desk: d, group: group, ctx: ctx, started: time.Now(),
		keeper:      newKeeper(r.log, r.host.kernel),
		fitter:      newFitter(r.log, r.host.tables, d.nudge),
		taps:        make(map[tapKey]*tap),
		ears:        make(map[tapKey]*listener),
		claims:      make(chan claim, 1),
		linkChanges: make(chan table, 1),
		payload:     make([]byte, 0, maxPayload),
	}
	l.keeper.asker, l.keeper.nudge = r.host.network, d.nudge
	return l
}

// run is the loop.
func (l *loop) run(ctx context.Context) error {
	defer l.record()
	for {
		now := time.Now()
		l.carryOut(now)
		if ctx.Err() != nil {
			l.command(now) // a Stop that came together with the end: it leaves by rule first
			if !l.stopping {
				return nil
			}
		}
		if l.stopping && l.core.left() && l.cleared(now) {
			l.tell(now, true)
			return nil
		}
		until := l.deadline()
		l.desk.wait(until, l.core.takeover(until))
		// What has been received counts before what has run out.
		l.listen()
		l.letters()
		if now := time.Now(); !until.After(now) {
			l.fire(now)
		}
	}
}

// letters takes what other goroutines have left, and the engine.
func (l *loop) letters() {
	l.command(time.Now())
	for {
		select {
		case is := <-l.linkChanges:
			l.relink(time.Now(), is)
		case c := <-l.claims:
			l.suspect(time.Now(), c)
		case k := <-l.keeper.reports:
			l.settled(time.Now(), k)
		case f := <-l.fitter.reports:
			l.refit(time.Now(), f)
		default:
			return
		}
	}
}

// watched leaves a new table of interfaces for the loop. The watcher calls it.
func (l *loop) watched(is table) {
	replace(l.linkChanges, is)
	l.desk.nudge()
}

// deadline is when the loop has something to do without being asked.
func (l *loop) deadline() time.Time {
	at := sooner(sooner(l.lastState.Add(statusEvery), l.graceEnd()), sooner(l.tellAt, l.fitAt))
	if !l.stopping {
		at = sooner(at, l.trackDue)
	}
	at = sooner(at, l.survey.began)
	return sooner(at, l.core.next())
}

// graceEnd is when the groups will be without an engine for too long.
func (l *loop) graceEnd() time.Time {
	if l.ordered.IsZero() || l.orders.Config.EngineGrace <= 0 || l.orphaned != "" || l.stopping {
		return time.Time{}
	}
	return l.ordered.Add(l.orders.Config.EngineGrace)
}

// fire does what is due, advertisements first: reports and the like do not make them late.
func (l *loop) fire(now time.Time) {
	l.core.fire(now)
	l.carryOut(now)
	if end := l.graceEnd(); !end.IsZero() && !end.After(now) {
		l.orphaned = fmt.Sprintf("no engine for %s", l.orders.Config.EngineGrace)
		l.log.Warn("no engine, leaving mastership", zap.Duration("grace", l.orders.Config.EngineGrace))
		l.apply(now)
	}
	if !l.trackDue.IsZero() && !l.stopping && !l.trackDue.After(now) {
		l.apply(now)
	}
	if !l.fitAt.IsZero() && !l.fitAt.After(now) {
		l.fit()
	}
	switch {
	case !l.survey.began.IsZero():
		l.look(now)
	case now.Sub(l.lastState) >= statusEvery:
		if len(l.refused) > 0 && !l.stopping {
			l.apply(now) // a socket that could not be opened may be possible now
		}
		l.tell(now, true)
	case !l.tellAt.IsZero() && !l.tellAt.After(now):
		l.tell(now, len(l.happened) > 0)
	}
}

// command does what the engine has ordered.
func (l *loop) command(now time.Time) {
	p := l.router.commands()
	if p.orders != nil && !l.stopping {
		l.obey(now, p.orders)
	}
	if p.all {
		for _, m := range l.core.members {
			if m.serving() {
				p.failover = append(p.failover, m.name)
			}
		}
	}
	began := make(map[*team]bool) // a sync group named by each of its members moves once
	for _, name := range p.failover {
		if t := l.core.teamOf(name); t == nil || !began[t] {
			began[t] = true
			if why := l.core.handover(now, name, "handed over by an operator"); why != "" {
				l.problem(fmt.Sprintf("failover of group %s: %s", name, why))
			}
		}
	}
	if p.stop && !l.stopping {
		l.stopping = true
		l.core.shutdown(now, "stopped")
	}
}

// obey takes orders. The same ones once more only prove that the engine lives.
func (l *loop) obey(now time.Time, o *Orders) {
	again := o == l.given && l.orphaned == ""
	l.given, l.ordered, l.orphaned = o, now, ""
	if again {
		return
	}
	l.orders = o.remember(l.orders)
	if l.links != nil { // else the interfaces are about to be told
		l.apply(now)
	}
}

// relink takes a new table of interfaces.
func (l *loop) relink(now time.Time, is table) {
	l.miss(is)
	l.links = is.links
	if !l.stopping && !l.ordered.IsZero() {
		l.apply(now)
	}
}

// settled takes what the keeper has done.
func (l *loop) settled(now time.Time, k map[*member]kept) {
	l.kept = k
	for m, r := range k {
		if m.intent == keep && r.problem == "" && len(r.held) == len(m.group.held()) {
			l.core.held(now, m)
		}
	}
	l.fit()
	l.tellSoon(now)
}

// cleared tells whether the addresses are off, or have had time enough.
func (l *loop) cleared(now time.Time) bool {
	if l.leftAt.IsZero() {
		l.leftAt = now
		l.lastState = now.Add(-statusEvery)
		l.fitAt = now
		l.fit()
	}
	if now.Sub(l.leftAt) > stopPatience {
		return true
	}
	for _, k := range l.kept {
		if len(k.held) > 0 {
			return false
		}
	}
	return l.fitCleared()
}

// close ends what the loop has opened.
func (l *loop) close() {
	for key, t := range l.taps {
		l.closeTap(key, t)
	}
	for _, e := range l.ears {
		l.closeEar(e)
	}
}
