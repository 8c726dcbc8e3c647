package engine

import (
	"slices"
	"time"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl/marks"
)

// MarkKernel is what gives packets their firewall marks; see marks.Linux.
type MarkKernel interface {
	// Read returns the marks that are given, and whether all that gives them is whole.
	Read() (have marks.Table, whole bool, err error)
	// Write makes want of what Read has returned, at once.
	Write(have, want marks.Table, whole bool) error
	// Remove takes away all that gives marks.
	Remove() error
}

// marking is the engine's side of the marks.
type marking struct {
	kernel  MarkKernel // nil: nothing is ever marked
	desired marks.Table
	pending bool // the kernel is to be compared
	ever    bool // there are or were marks to give; else nothing is looked at
	lastErr string
	retryAt time.Time
}

// setMarks says which packets are to be marked.
func (e *Engine) setMarks(config *conf.Config) {
	m := &e.marking
	m.desired = config.Marks()
	m.ever = m.ever || len(m.desired) > 0
	m.pending, m.retryAt = true, time.Time{} // new ones come before the services, whatever waits
}

// addMarks gives new marks. It comes before the services change: a packet whose
// mark has no service yet goes to that of its address.
func (e *Engine) addMarks() {
	e.follow(func(have marks.Table) marks.Table { return have.With(e.marking.desired) })
}

// trimMarks gives up marks that nobody wants any more, when the services have followed.
func (e *Engine) trimMarks() {
	if wait, failed := e.table.retryIn(); failed {
		e.marking.retryAt = time.Now().Add(wait)
		return
	}
	if e.follow(func(marks.Table) marks.Table { return e.marking.desired }) {
		e.marking.pending = false
	}
}

// follow makes the kernel give the marks that want makes of those it gives now,
// and tells whether it does.
func (e *Engine) follow(want func(have marks.Table) marks.Table) bool {
	m := &e.marking
	if m.kernel == nil || !m.ever || !m.pending || time.Now().Before(m.retryAt) {
		return false
	}
	have, whole, err := m.kernel.Read()
	if err == nil {
		switch wanted := want(have); {
		case len(wanted) == 0:
			err = m.kernel.Remove()
		case !whole || len(marks.Diff(have, wanted)) > 0:
			err = m.kernel.Write(have, wanted, whole)
		}
	}
	if err != nil {
		m.retryAt = time.Now().Add(retryLast)
		if m.lastErr != err.Error() {
			e.event(Event{Kind: KindApply, Reason: "packets are not marked as they should be; trying again", Error: err.Error()})
		}
		m.lastErr, e.stale = err.Error(), true
		return false
	}
	if m.lastErr != "" {
		e.stale = true
	}
	m.lastErr, m.retryAt = "", time.Time{}
	return true
}

// checkMarks compares the marks with what they should be, at each resync, and
// tells of what somebody else changed.
func (e *Engine) checkMarks() {
	m := &e.marking
	if m.kernel == nil || !m.ever || m.pending {
		return
	}
	changes, whole, err := m.drift()
	if err == nil {
		if whole && len(changes) == 0 || !whole && len(m.desired) == 0 {
			return
		}
		reason := "somebody else removed or changed the table of marks (nft table inet director); making it anew"
		if whole {
			reason = "somebody else changed the marks of packets; repairing: " + changes[0].String()
			if n := len(changes) - 1; n > 0 {
				reason += " and " + plural(n, "more mark")
			}
		}
		e.event(Event{Kind: KindDrift, Reason: reason})
		e.table.repairs++
	}
	m.pending = true
}

// drift returns what the kernel has otherwise than wanted, as two looks tell: a large map
// that has just grown is told incompletely while the kernel rearranges it.
func (m *marking) drift() (changes []marks.Change, whole bool, err error) {
	have, whole, err := m.kernel.Read()
	changes = marks.Diff(have, m.desired)
	if err != nil || !whole || len(changes) == 0 {
		return changes, whole, err
	}
	seen := make(map[marks.Change]bool, len(changes))
	for _, c := range changes {
		seen[c] = true
	}
	have, whole, err = m.kernel.Read()
	changes = slices.DeleteFunc(marks.Diff(have, m.desired), func(c marks.Change) bool { return !seen[c] })
	return changes, whole, err
}

// stopMarks takes the marks away if their services have gone.
func (e *Engine) stopMarks() {
	m := &e.marking
	if m.kernel == nil || !m.ever || e.config.IPVS.OnStop != conf.StopRemove {
		return
	}
	if err := m.kernel.Remove(); err != nil {
		e.event(Event{Kind: KindApply, Reason: "the marks of packets stay", Error: err.Error()})
	}
}
