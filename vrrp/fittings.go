package vrrp

import (
	"cmp"
	"slices"
	"time"
)

// fittings are what the fitter is to do for all members, and the static ones.
// Those are there from the first orders to the end of an ordered stop.
func (l *loop) fittings() fittings {
	c := l.orders.Config
	static := fitting{fixtures: c.Static, intent: keep, ready: true}
	if l.stopping && l.core.left() {
		static.intent = letGo
	}
	w := fittings{mark: cmp.Or(c.Mark, DefaultMark), list: []fitting{static}}
	for _, list := range [2][]*member{l.core.members, l.core.departing} {
		for _, m := range list {
			w.list = append(w.list, fitting{
				member: m, fixtures: Fixtures{Routes: m.group.Routes, Rules: m.group.Rules},
				closed: m.closed(), intent: m.intent, dropAt: m.dropAt, ready: m.group.ready(l.kept[m]),
			})
		}
	}
	return w
}

// bare tells whether there is nothing for the fitter to do, nor has been: it is not
// to be told of each takeover then.
func (l *loop) bare() bool {
	c := &l.orders.Config
	return l.fitted.idle && l.fitted.turn == l.fitting.turn && l.fitting.mark == cmp.Or(c.Mark, DefaultMark) &&
		c.Static.empty() && !slices.ContainsFunc(c.Groups, func(g Group) bool { return g.Closed || len(g.Routes)+len(g.Rules) > 0 })
}

// fit tells the fitter what is wanted. Unless it is to be told, because something in
// the kernel has changed, it is not when that would be the same as before.
func (l *loop) fit() {
	must := !l.fitAt.IsZero()
	l.fitAt = time.Time{}
	if l.ordered.IsZero() || l.bare() {
		return
	}
	w := l.fittings()
	same := slices.EqualFunc(w.list, l.fitting.list, func(a, b fitting) bool {
		return a.member == b.member && a.intent == b.intent && a.ready == b.ready && a.dropAt.Equal(b.dropAt)
	})
	if same && !must {
		return
	}
	w.turn = l.fitting.turn + 1
	l.fitting = w
	replace(l.fitter.wishes, w)
}

// fitCleared tells whether the fitter has taken off all that was to go.
func (l *loop) fitCleared() bool {
	if l.fitted.turn != l.fitting.turn {
		return false
	}
	for _, n := range l.fitted.of {
		if n.addresses+n.routes+n.rules+n.closed > 0 {
			return false
		}
	}
	return true
}

// refit takes what the fitter has done.
func (l *loop) refit(now time.Time, f fitted) {
	l.fitted = f
	l.tellSoon(now)
}
