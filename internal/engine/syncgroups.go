package engine

import (
	"slices"
	"strings"

	"github.com/lvs-director/director/vrrp"
)

// syncGroupIn returns the sync group that a group belongs to, and whether all
// of it are in one state.
func (r *roles) syncGroupIn(group string) (name string, agreed bool) {
	for _, s := range r.config.SyncGroups {
		if slices.Contains(s.Groups, group) {
			return s.Name, !slices.ContainsFunc(s.Groups, func(g string) bool { return r.states[g] != r.states[group] })
		}
	}
	return "", false
}

// setSyncRole takes note of the state of a group's sync group, once all of it
// are in the one that the group has entered.
func (e *Engine) setSyncRole(group string, to vrrp.State, reason string) {
	r := &e.roles
	name, agreed := r.syncGroupIn(group)
	from, known := r.syncStates[name]
	if !agreed || known && from == to {
		return
	}
	r.syncStates[name] = to
	ev := Event{Kind: KindRole, SyncGroup: name, To: to.String(), Reason: reason}
	if known {
		ev.From = from.String()
	}
	e.event(ev)
	if hook, ok := r.syncHooks[name][strings.ToLower(to.String())]; ok {
		e.runHook(hookRun{syncGroup: name, state: to.String(), hook: hook})
	}
}
