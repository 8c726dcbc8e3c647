package vrrp

import "slices"

// trackKey names a track of a group.
type trackKey struct{ group, kind, name string }

func (s TrackState) key() trackKey { return trackKey{s.Group, s.Kind, s.Name} }

// remember fills in what an engine that has just started does not know yet of
// its tracks, and the engine before it did: a restart is no news of what is
// tracked, and must move no mastership.
func (o Orders) remember(before Orders) Orders {
	known := make(map[trackKey]TrackState, len(before.Tracks))
	for _, s := range before.Tracks {
		if !s.Tentative {
			known[s.key()] = s
		}
	}
	if len(known) == 0 {
		return o
	}
	o.Tracks = slices.Clone(o.Tracks)
	told := make(map[trackKey]bool, len(o.Tracks))
	for i, s := range o.Tracks {
		told[s.key()] = true
		if was, ok := known[s.key()]; ok && s.Tentative {
			o.Tracks[i] = was
		}
	}
	for _, g := range o.Config.Groups {
		for _, t := range g.Tracks {
			key := trackKey{g.Name, t.Kind, t.Name}
			if was, ok := known[key]; ok && !told[key] {
				o.Tracks = append(o.Tracks, was)
			}
		}
	}
	return o
}
