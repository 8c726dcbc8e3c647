package worker

import (
	"fmt"
	"slices"

	"github.com/lvs-director/director/vrrp"
)

// maxTransitions bounds the transitions kept for a reader that does not come.
const maxTransitions = 4096

// maxProblems bounds the problems told at once. They are read by people.
const maxProblems = 100

// outbox gathers reports until a reader takes them: of transitions all, in
// their order, up to maxTransitions; of everything else only the latest. It knows
// the status of all groups, so that a new reader can be told.
type outbox struct {
	transitions []vrrp.Transition
	next        uint64 // number of the transition that comes next; the first is 1
	lost        uint64 // transitions dropped since the last report that said so
	status      []vrrp.Status
	at          map[string]int  // where in it a group is
	news        map[string]bool // groups whose status no report has told yet
	whole       bool            // the reader is to be told of all
	problems    []string        // since the last report that was taken, or of the last one
	connected   bool
	changed     bool // there is something that no report has told yet
}

// add takes in a report.
func (o *outbox) add(r vrrp.Report) {
	o.next = max(o.next, 1)
	o.transitions = append(o.transitions, r.Transitions...)
	o.next += uint64(len(r.Transitions))
	if over := len(o.transitions) - maxTransitions; over > 0 {
		// Copied, so that what was cut off is not held by the slice behind it.
		o.transitions = append([]vrrp.Transition(nil), o.transitions[over:]...)
		o.lost += uint64(over)
	}
	o.update(r)
	if !o.changed {
		o.problems = nil
	}
	// A problem that is over before anybody was told of it is told once.
	for _, p := range r.Problems {
		if !slices.Contains(o.problems, p) && len(o.problems) < maxProblems {
			o.problems = append(o.problems[:len(o.problems):len(o.problems)], p)
		}
	}
	o.connected = r.Connected
	o.changed = true
}

// update takes in what a report says of the groups.
func (o *outbox) update(r vrrp.Report) {
	if r.Whole {
		o.status, o.whole = nil, true
	}
	if o.status == nil {
		o.at, o.news = make(map[string]int), make(map[string]bool)
	}
	for _, s := range r.Status {
		o.news[s.Group] = true
		if i, known := o.at[s.Group]; known {
			o.status[i] = s
			continue
		}
		o.at[s.Group] = len(o.status)
		o.status = append(o.status, s)
	}
}

// untold returns the statuses that the reader does not know.
func (o *outbox) untold() []vrrp.Status {
	if o.whole {
		return slices.Clone(o.status)
	}
	var list []vrrp.Status
	for _, s := range o.status {
		if o.news[s.Group] {
			list = append(list, s)
		}
	}
	return list
}

// after returns what a reader is to be told that has heard of all transitions
// before number from. The outbox shares its transitions with the report: neither
// side changes elements.
func (o *outbox) after(from uint64) report {
	o.next = max(o.next, 1)
	first := o.next - uint64(len(o.transitions))
	from = min(max(from, first), o.next)
	r := report{Report: vrrp.Report{
		Transitions: o.transitions[from-first : len(o.transitions) : len(o.transitions)],
		Status:      o.untold(),
		Whole:       o.whole,
		Problems:    o.problems,
		Connected:   o.connected,
	}}
	if len(r.Transitions) > 0 {
		r.First = from
	} else {
		r.Transitions = nil
	}
	if o.lost > 0 {
		r.Problems = append([]string{fmt.Sprintf("%d transitions were dropped, since nobody read them", o.lost)}, r.Problems...)
	}
	return r
}

// told notes that a report made by after has been taken.
func (o *outbox) told() {
	o.lost = 0
	o.changed, o.whole = false, false
	clear(o.news)
}

// anew has the next report tell of all groups: to a reader that knows nothing.
func (o *outbox) anew() {
	o.changed, o.whole = o.connected, true
}

// forget drops the transitions up to number last: they have arrived.
func (o *outbox) forget(last uint64) {
	o.next = max(o.next, 1)
	first := o.next - uint64(len(o.transitions))
	if last < first {
		return
	}
	o.transitions = o.transitions[min(last-first+1, uint64(len(o.transitions))):]
}
