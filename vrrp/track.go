package vrrp

import (
	"cmp"
	"fmt"
	"time"
)

// maxPoints and faultPoints bound what the value of a track adds to a priority,
// as keepalived bounds it; the lower bound is FAULT
// (keepalived/trackers/track_file.c).
const (
	maxPoints   = 253
	faultPoints = -254
)

// verdict is what is known of a track.
type verdict struct {
	up        bool
	value     int
	reason    string
	tentative bool
}

// effect is what a track adds to the priority, and whether it is a FAULT.
func (t Track) effect(v verdict) (points int, fault bool) {
	switch {
	case !t.Number && t.Weight == 0:
		return 0, !v.up
	case !t.Number && v.up == (t.Weight > 0):
		return t.Weight, false
	case !t.Number:
		return 0, false
	case t.Weight == 0:
		return 0, !v.up || v.value != 0
	case !v.up:
		return 0, false
	}
	// A greater value would not add more: this keeps the product small.
	value := min(max(v.value, faultPoints), -faultPoints)
	points = min(max(value*t.Weight, faultPoints), maxPoints)
	return points, points == faultPoints
}

// why says in words why a track is a FAULT.
func (t Track) why(v verdict) string {
	if t.Number && v.up {
		return fmt.Sprintf("%s %s holds %d", t.Kind, t.Name, v.value)
	}
	return fmt.Sprintf("%s %s %s", t.Kind, t.Name, cmp.Or(v.reason, "is down"))
}

// counted is how a track counts, and since when it has been otherwise.
type counted struct {
	verdict
	since time.Time // zero: it is as it counts
}

// next returns how a track counts that is as seen now. It is the one decision
// about delays, of whatever kind the track is, and pure: a change counts once it
// has lasted for its delay, and what is not known, or was never more than
// tentative, has nothing to be steady about.
func (c counted) next(now time.Time, seen verdict, t Track, known bool) counted {
	if !known || c.tentative || seen.up == c.up {
		return counted{verdict: seen}
	}
	if c.since.IsZero() {
		c.since = now
	}
	if !now.Before(c.changes(t)) {
		return counted{verdict: seen}
	}
	return c
}

// changes is when the track will count otherwise, if it stays as it is; zero if
// it is as it counts.
func (c counted) changes(t Track) time.Time {
	switch {
	case c.since.IsZero():
		return time.Time{}
	case c.up:
		return c.since.Add(t.DownDelay)
	}
	return c.since.Add(t.UpDelay)
}

// count returns how every track counts now, and when the first of them will
// count otherwise; zero if none will. What has no state is left out.
func count(now time.Time, before map[trackKey]counted, o Orders, ls links) (tracked map[trackKey]counted, due time.Time) {
	seen := make(map[trackKey]verdict, len(o.Tracks))
	for _, s := range o.Tracks {
		seen[s.key()] = verdict{s.Up, s.Value, s.Reason, s.Tentative}
	}
	tracked = make(map[trackKey]counted, len(seen))
	for _, g := range o.Config.Groups {
		for _, t := range g.Tracks {
			key := trackKey{g.Name, t.Kind, t.Name}
			v, ok := seen[key]
			if t.Kind == "interface" {
				v, ok = ls.verdict(t.Name), true
			}
			if !ok {
				continue
			}
			was, known := before[key]
			c := was.next(now, v, t, known)
			tracked[key] = c
			if at := c.changes(t); !at.IsZero() && (due.IsZero() || at.Before(due)) {
				due = at
			}
		}
	}
	return tracked, due
}

// verdict is what is known of an interface that is tracked.
func (ls links) verdict(name string) verdict {
	switch l, there := ls[name]; {
	case !there:
		return verdict{reason: "is missing"}
	case !l.up:
		return verdict{reason: "is down"}
	}
	return verdict{up: true}
}

// applyTracks adds to every group's priority what its tracks say, and to its
// partners' as well: were a weight to lower one member of a sync group alone,
// the other router would want that one, not get all, and so none.
func applyTracks(list []assessment, tracked map[trackKey]counted) {
	sums := make(map[string]int)
	added := make(map[string]map[Track]bool)
	for i := range list {
		a := &list[i]
		key := a.purse()
		if added[key] == nil {
			added[key] = make(map[Track]bool)
		}
		for _, t := range a.group.Tracks {
			c, known := tracked[trackKey{a.group.Name, t.Kind, t.Name}]
			if !known {
				c.reason = "has no verdict yet"
			}
			points, fault := t.effect(c.verdict)
			if !known && t.Weight != 0 { // nothing known yet: of no effect
				points, fault = 0, false
			}
			if fault && a.fault.reason == "" {
				a.fault.reason = t.why(c.verdict)
			}
			once := t
			once.UpDelay, once.DownDelay = 0, 0 // do not make it another thing
			if points != 0 && !added[key][once] {
				added[key][once] = true
				sums[key] += points
			}
			a.tracks = append(a.tracks, TrackStatus{Kind: t.Kind, Name: t.Name, Known: known, Up: c.up, Value: c.value, Reason: c.reason,
				Points: points, Fault: fault, Changes: c.changes(t)})
		}
	}
	for i := range list {
		a := &list[i]
		if a.params.priority != owner && a.params.priority != 0 {
			// 255 is the owner's and 0 says goodbye: tracks never reach them.
			a.params.priority = uint8(min(max(int(a.params.priority)+sums[a.purse()], 1), owner-1))
		}
	}
}

// purse names whom the points of the group's tracks are for: its sync group, or itself.
func (a *assessment) purse() string {
	if a.team != "" {
		return a.team
	}
	return "\x00" + a.group.Name
}
