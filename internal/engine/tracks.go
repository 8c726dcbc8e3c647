package engine

import (
	"strconv"

	"github.com/lvs-director/director/checks"
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
