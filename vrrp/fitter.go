package vrrp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// auditEvery is how often the kernel is compared with what it should have,
// when nothing says that something has changed: IPv4 routes that go with an
// address or an interface are not told of.
const auditEvery = 5 * time.Second

// tables are the kernel's routing tables and its routing policy, the addresses
// that are no leases, and the filter of what is closed.
type tables interface {
	// shown returns what carries a mark.
	shown(mark uint8) (scene, error)
	// do makes one change. Adding what is there is errForeign if it does not
	// carry the mark; removing what is not there is no error.
	do(mark uint8, o op) error
}

// errForeign says that something of another owner is in the place of a fixture.
var errForeign = errors.New("there is one already that is not Director's")

// fittings are all that is wanted of fixtures.
type fittings struct {
	turn int // grows
	mark uint8
	list []fitting
}

// fitted is what has been made of the fittings of a turn.
type fitted struct {
	turn int
	of   map[*member]fixed // of nil are the static ones
	idle bool              // nothing is wanted, and nothing there
}

// fitter keeps what goes with the addresses: routes, rules and the static
// fixtures. It is apart from the keeper because it reads the kernel's tables,
// which takes its time: neither an advertisement nor an address waits for it.
// It compares all that is wanted with all that is there and does the
// difference, again and again.
type fitter struct {
	log     *zap.Logger
	tables  tables
	wishes  chan fittings // latest wins
	reports chan fitted   // latest wins
	nudge   func()        // the loop: there is a report
	wanted  fittings
	told    fitted
	begun   bool // wanted is what the loop wants
	idle    bool // see fitted, at the last pass
}

func newFitter(log *zap.Logger, t tables, nudge func()) *fitter {
	return &fitter{
		log: log, tables: t, nudge: nudge,
		wishes:  make(chan fittings, 1),
		reports: make(chan fitted, 1),
	}
}

// run works until ctx is done. What is up then stays: a later run finds it.
func (f *fitter) run(ctx context.Context) error {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	var backoff time.Duration
	for {
		wait := time.Hour
		if f.begun && !f.idle {
			next, ok := f.pass(time.Now())
			if ok {
				backoff = 0
			} else {
				backoff = min(max(2*backoff, retryMin), retryMax)
				next = min(next, backoff)
			}
			wait = next
		}
		t.Reset(someWait(wait))
		select {
		case <-ctx.Done():
			return nil
		case w := <-f.wishes:
			if f.begun && w.mark != f.wanted.mark {
				// What carries the old mark goes first: the kernel takes no
				// second route of the same kind.
				f.wanted.list = nil
				f.pass(time.Now())
			}
			f.wanted, f.begun = w, true
			f.idle = f.idle && w.empty()
			if f.idle {
				f.report(f.told.of, nil)
			}
		case <-t.C:
		}
	}
}

// pass compares and changes once. It returns when the next pass is due, and
// whether all is as it is wanted.
func (f *fitter) pass(now time.Time) (time.Duration, bool) {
	next := time.Hour // nothing is wanted: only a wish changes that
	for _, w := range f.wanted.list {
		switch d := w.dropAt.Sub(now); {
		case w.empty():
		case w.intent == letGo && d > 0:
			next = min(next, d)
		case w.intent != letGo:
			next = min(next, auditEvery)
		}
	}
	shown, err := f.tables.shown(f.wanted.mark)
	if err != nil {
		f.report(f.told.of, map[*member]string{nil: fmt.Sprintf("read routes: %v", err)})
		return next, false
	}
	problems := make(map[*member]string)
	ops := fit(f.wanted.list, shown, now)
	for _, o := range ops {
		err := f.tables.do(f.wanted.mark, o)
		switch {
		case err == nil:
			f.log.Info("routing changed", zap.Stringer("change", o))
		case errors.Is(err, errForeign) && o.route == nil:
			// The same address or rule, of another owner: it is there.
		case problems[o.member] == "":
			problems[o.member] = fmt.Sprintf("%s: %v", o, err)
		}
	}
	if len(ops) > 0 {
		if after, err := f.tables.shown(f.wanted.mark); err == nil {
			shown = after
		}
	}
	is := shown.index()
	out := make(map[*member]fixed, len(f.wanted.list))
	for _, w := range f.wanted.list {
		out[w.member] = w.count(is, shown.closed)
	}
	f.idle = f.wanted.empty() && shown.empty() && len(shown.closed) == 0
	f.report(out, problems)
	return next, len(problems) == 0
}

// String returns the change in words.
func (o op) String() string {
	verb := [...]string{opAdd: "add", opReplace: "replace", opRemove: "remove"}[o.kind]
	switch {
	case o.closed != nil:
		return fmt.Sprintf("close addresses %v", *o.closed)
	case o.address != nil:
		return verb + " address " + o.address.String()
	case o.route != nil:
		return verb + " route " + o.route.String()
	default:
		return verb + " rule " + o.rule.String()
	}
}

// report tells the loop how things are, when that has changed, and logs a
// trouble when it is news.
func (f *fitter) report(of map[*member]fixed, problems map[*member]string) {
	out := fitted{turn: f.wanted.turn, of: make(map[*member]fixed, len(of)), idle: f.idle}
	maps.Copy(out.of, of)
	for m, problem := range problems {
		n := out.of[m]
		n.problem = problem
		out.of[m] = n
		if f.told.of[m].problem != problem {
			name := ""
			if m != nil {
				name = m.name
			}
			f.log.Warn("routing refused, will be tried again", zap.String("group", name), zap.String("reason", problem))
		}
	}
	if f.told.turn != out.turn || f.told.idle != out.idle || !maps.Equal(f.told.of, out.of) {
		f.told = out
		replace(f.reports, out)
		f.nudge()
	}
}

// empty tells whether nothing is wanted.
func (f fittings) empty() bool {
	return !slices.ContainsFunc(f.list, func(w fitting) bool { return !w.empty() })
}

// empty tells whether the fitting wants nothing.
func (f fitting) empty() bool { return f.fixtures.empty() && len(f.closed) == 0 }
