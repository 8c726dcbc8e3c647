package engine

import (
	"cmp"
	"strconv"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/vrrp"
)

// tellTracks makes events of what VRRP says anew of a group's tracks and no
// check of the engine has told already: of interfaces, of virtual servers, which
// may count only after a delay, and of numbers.
func (e *Engine) tellTracks(s vrrp.Status, before []vrrp.TrackStatus) {
	for _, t := range s.Tracks {
		for _, was := range before {
			if was.Kind != t.Kind || was.Name != t.Name || !was.Known || !t.Known {
				continue
			}
			ev := Event{Kind: KindTrack, Group: s.Group, Check: t.Name, Reason: t.Reason}
			switch {
			case t.Up != was.Up && (t.Kind == "interface" || t.Kind == "virtual_server"):
				ev.From, ev.To = upDown(was.Up), upDown(t.Up)
			case t.Up && was.Up && t.Value != was.Value:
				ev.From, ev.To = strconv.Itoa(was.Value), strconv.Itoa(t.Value)
			default:
				continue
			}
			e.event(ev)
		}
	}
}

// takeScript notes that a script which groups track has a new verdict.
func (e *Engine) takeScript(result checks.Result) {
	for _, use := range e.roles.scripts[result.Key] {
		e.roles.tracksChanged = true
		if result.From != result.To {
			e.event(Event{Kind: KindTrack, Group: use.group, Check: use.track, From: result.From.String(), To: result.To.String(), Reason: result.Seen.Reason})
		}
	}
}

// trackStates says of every track that the engine watches how it is. One that
// is not known yet is left out.
func (e *Engine) trackStates() []vrrp.TrackState {
	var states []vrrp.TrackState
	scripts := e.scriptResults()
	for _, g := range e.roles.config.Groups {
		for _, t := range g.Tracks {
			s := vrrp.TrackState{Group: g.Name, Kind: t.Kind, Name: t.Name}
			switch t.Kind {
			case "virtual_server":
				vs, ok := e.byName[t.Name]
				if !ok {
					continue
				}
				s.Up, s.Reason, s.Tentative = vs.quorum, vs.reason(), vs.awaits()
			case "script", "file", "process", "bfd":
				result := scripts[scriptUse{g.Name, t.Name}]
				state, reason := result.To, result.Seen.Reason
				if state == checks.Unknown {
					state, s.Tentative = e.roles.scriptOf(g.Name, t.Name).Initial, true
					// Without weight it counts as down anyway, and so VRRP can say why.
					if state == checks.Unknown && (t.Weight != 0 || reason == "") {
						continue
					}
					reason = cmp.Or(reason, "has no verdict yet")
				}
				s.Up, s.Reason = state == checks.Up, reason
				if value := result.Seen.Weight; value != nil && t.Number {
					s.Value = *value
				}
			default:
				continue // vrrp watches it itself
			}
			states = append(states, s)
		}
	}
	return states
}

// scriptOf returns a track of a group as it is configured.
func (r *roles) scriptOf(group, track string) conf.ScriptTrack {
	for _, p := range r.policies {
		if p.Group != group {
			continue
		}
		for _, t := range p.Tracks {
			if t.Name == track {
				return t
			}
		}
	}
	return conf.ScriptTrack{}
}

// lookAtScripts takes note of why what groups track has no verdict yet: of a script
// that could not even be started, the checks tell no result.
func (e *Engine) lookAtScripts() {
	for key, uses := range e.roles.scripts {
		result := e.health[key]
		if result.To != checks.Unknown {
			continue
		}
		status, _ := e.opts.Pool.Status(key)
		if status.Last.Reason == result.Seen.Reason {
			continue
		}
		result.Seen.Reason = status.Last.Reason
		e.health[key] = result
		e.roles.tracksChanged = true
		for _, use := range uses {
			delete(e.roles.shown, use.group)
		}
	}
}

// explain says why tracks are not known of which VRRP has been told nothing.
func (e *Engine) explain(g GroupStatus) {
	for i, t := range g.Tracks {
		if script := e.roles.scriptOf(g.Name, t.Name); t.State == checks.Unknown.String() && script.Monitor.Probe != nil {
			g.Tracks[i].Reason = cmp.Or(e.health[script.Monitor.Key()].Seen.Reason, t.Reason)
		}
	}
}

// scriptResults returns the last result of every script that a group tracks.
func (e *Engine) scriptResults() map[scriptUse]checks.Result {
	results := make(map[scriptUse]checks.Result)
	for key, uses := range e.roles.scripts {
		for _, use := range uses {
			results[use] = e.health[key]
		}
	}
	return results
}

// trackStatus tells how a group's tracks count.
func trackStatus(list []vrrp.TrackStatus) []TrackStatus {
	var all []TrackStatus
	for _, t := range list {
		s := TrackStatus{Kind: t.Kind, Name: t.Name, State: checks.Unknown.String(), Value: t.Value, Reason: t.Reason, Points: t.Points, Fault: t.Fault}
		if t.Known {
			s.State = upDown(t.Up)
		}
		if !t.Changes.IsZero() {
			s.Changes = &t.Changes
		}
		all = append(all, s)
	}
	return all
}
