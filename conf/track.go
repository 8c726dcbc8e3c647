package conf

import (
	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/vrrp"
)

// track is a block track as decoded.
type track struct {
	weight  int
	monitor checks.Monitor // of a script
	command checks.Command // of a script
}

var trackWeight = number("weight", -254, 254, func(t *track) *int { return &t.weight },
	"0: down means FAULT. Negative: added to the priority while down. Positive: added while up")

var trackVariants = []variant[track]{
	variantOf("interface", &schema[track]{
		kind:   "track",
		labels: []string{`"interface"`, "the name of the interface"},
		doc:    "A network interface: up while its link is.",
		start:  func() track { return track{} },
		keys:   []key[track]{trackWeight},
	}),
	variantOf("virtual_server", &schema[track]{
		kind:   "track",
		labels: []string{`"virtual_server"`, "the name of the virtual server"},
		doc:    "A virtual server of this configuration: up while it has its quorum.",
		start:  func() track { return track{} },
		keys:   []key[track]{trackWeight},
	}),
	variantOf("script", &schema[track]{
		kind:   "track",
		labels: []string{`"script"`, "a name"},
		doc:    "A program: up while its exit status is 0.",
		start:  func() track { return track{monitor: defaultSchedule()} },
		keys: append([]key[track]{
			commandKey(func(t *track) *checks.Command { return &t.command }, "the program and its arguments; no shell is involved"),
			trackWeight,
		}, scheduleKeys(func(t *track) *checks.Monitor { return &t.monitor })...),
	}),
}

// addTrack adds the tracked thing of block b to g.
func addTrack(d *decoder, b *block, g *group, t track) {
	kind, name := b.label(0), b.label(1)
	if name.text == "" {
		return // has been reported
	}
	for _, other := range g.Tracks {
		if other.Kind == kind.text && other.Name == name.text {
			d.fail(name.at, "track %q %q is given twice", kind.text, name.text)
			return
		}
	}
	g.Tracks = append(g.Tracks, vrrp.Track{Kind: kind.text, Name: name.text, Weight: t.weight})
	switch kind.text {
	case "interface":
		if want := checkInterface(name.text); want != "" {
			d.fail(name.at, "track %q: want %s", name.text, want)
		}
	case "virtual_server":
		g.tracked = append(g.tracked, name)
	case "script":
		m := settle(t.monitor)
		m.Probe = scriptProbe(t.command, "DIRECTOR_GROUP="+g.Name, "DIRECTOR_TRACK="+name.text)
		g.policy.Tracks = append(g.policy.Tracks, ScriptTrack{Name: name.text, Monitor: m})
	}
}
