package conf

import (
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/vrrp"
)

// track is a block track as decoded.
type track struct {
	weight  int
	monitor checks.Monitor // of what is probed
	command checks.Command // of a script
	file    checks.File
	process checks.Process
	initial checks.State // of what is probed
	up      time.Duration
	down    time.Duration
}

var trackWeight = number("weight", -254, 254, func(t *track) *int { return &t.weight },
	"0: down means FAULT. Negative: added to the priority while down. Positive: added while up")

var trackInitial = choice("initial", []word[checks.State]{{"unknown", checks.Unknown}, {"up", checks.Up}, {"down", checks.Down}},
	func(t *track) *checks.State { return &t.initial },
	"what it counts as until its first verdict. `unknown`: as down with weight 0, and for nothing with another")

// trackDelays are of what is not probed, and so has no rise and fall.
var trackDelays = []key[track]{
	trackWeight,
	duration("up_delay", 0, time.Hour, func(t *track) *time.Duration { return &t.up },
		"for how long it must be up again before it counts as up. The first state counts at once"),
	duration("down_delay", 0, time.Hour, func(t *track) *time.Duration { return &t.down },
		"for how long it must be down before it counts as down"),
}

var trackVariants = []variant[track]{
	variantOf("interface", &schema[track]{
		kind:   "track",
		labels: []string{`"interface"`, "the name of the interface"},
		doc:    "A network interface: up while its link is. The group's own is tracked anyway, and without delay.",
		start:  func() track { return track{} },
		keys:   trackDelays,
	}),
	variantOf("virtual_server", &schema[track]{
		kind:   "track",
		labels: []string{`"virtual_server"`, "the name of the virtual server"},
		doc:    "A virtual server of this configuration: up while it has its quorum.",
		start:  func() track { return track{} },
		keys:   trackDelays,
	}),
	variantOf("script", &schema[track]{
		kind:   "track",
		labels: []string{`"script"`, "a name"},
		doc:    "A program: up while its exit status is 0.",
		start:  func() track { return track{monitor: defaultSchedule()} },
		keys: append([]key[track]{
			commandKey(func(t *track) *checks.Command { return &t.command }, "the program and its arguments; no shell is involved"),
			trackWeight,
			trackInitial,
		}, scheduleKeys(trackSchedule)...),
	}),
	variantOf("file", &schema[track]{
		kind:   "track",
		labels: []string{`"file"`, "a name"},
		doc: "A file that another program writes: up while it is there, or is not. Or, with `holds = \"number\"`, one that holds " +
			"how many times the weight is added to the priority.",
		start: func() track { return track{monitor: defaultSchedule()} },
		keys: append(append([]key[track]{
			file("path", func(t *track) *string { return &t.file.Path }, "of the file").must(),
			choice("want", []word[bool]{{"present", false}, {"absent", true}}, func(t *track) *bool { return &t.file.Absent },
				"what is good"),
			choice("holds", []word[bool]{{"anything", false}, {"number", true}}, func(t *track) *bool { return &t.file.Number },
				"`number`: a whole number, which is multiplied by `weight` and added to the priority: at most 253; at -254 and below the group is "+
					"in FAULT. With weight 0 any number but 0 means FAULT. A file that is not there or is empty holds 0. What is no number "+
					"means down, which adds nothing"),
			trackWeight,
			trackInitial,
		}, expectKeys("it", func(t *track) *checks.Expect { return &t.file.Expect })...), scheduleKeys(trackSchedule)...),
	}),
	variantOf("bfd", &schema[track]{
		kind:   "track",
		labels: []string{`"bfd"`, "the name of a block `bfd`"},
		doc:    "A BFD session: up while it is.",
		start:  func() track { return track{} },
		keys:   trackDelays,
	}),
	variantOf("process", &schema[track]{
		kind:   "track",
		labels: []string{`"process"`, "a name"},
		doc:    "A program on this machine: up while it runs.",
		start:  func() track { return track{monitor: defaultSchedule()} },
		keys: append([]key[track]{
			text("program", func(t *track) *string { return &t.process.Name },
				"name of the program, without its folder").must(),
			number("min", 1, 100_000, func(t *track) *int { return &t.process.Min }, "how many must run").by("`1`"),
			number("max", 1, 100_000, func(t *track) *int { return &t.process.Max }, "how many may").by("any number"),
			trackWeight,
			trackInitial,
		}, scheduleKeys(trackSchedule)...),
	}),
}

func trackSchedule(t *track) *checks.Monitor { return &t.monitor }

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
	g.Tracks = append(g.Tracks, vrrp.Track{Kind: kind.text, Name: name.text, Weight: t.weight, Number: t.file.Number, UpDelay: t.up, DownDelay: t.down})
	g.probed = append(g.probed, t.probed(kind.text, name))
	switch kind.text {
	case "interface":
		if want := checkInterface(name.text); want != "" {
			d.fail(name.at, "track %q: want %s", name.text, want)
		}
	case "virtual_server":
		g.tracked = append(g.tracked, name)
	case "script":
		g.probe(d, name, t.monitor, t.initial, scriptProbe(checks.Script{Command: t.command}, "DIRECTOR_GROUP="+g.Name, "DIRECTOR_TRACK="+name.text))
	case "file":
		if t.file.Number && (t.file.Absent || t.file.Expect != (checks.Expect{})) {
			d.fail(b.where("holds"), "holds \"number\" does not go with an expectation, nor with want \"absent\"")
		}
		if t.file.Absent && t.file.Expect != (checks.Expect{}) {
			d.fail(b.where("want"), "want \"absent\" does not go with an expectation")
		}
		g.probe(d, name, t.monitor, t.initial, t.file)
	case "bfd":
		g.sessions = append(g.sessions, name)
		g.probe(d, name, sessionMonitor(), checks.Unknown, checks.BFD{Session: name.text})
	case "process":
		if t.process.Max > 0 && t.process.Max < t.process.Min {
			d.fail(b.where("max"), "max %d: want at least min, %d", t.process.Max, t.process.Min)
		}
		g.probe(d, name, t.monitor, t.initial, t.process)
	}
}

// probed is a track, and what it looks at. Without delays, as VRRP tells two apart.
type probed struct {
	vrrp.Track
	key string // of its probe; empty if the name says all
	at  span
}

func (t track) probed(kind string, name label) probed {
	p := probed{Track: vrrp.Track{Kind: kind, Name: name.text, Weight: t.weight, Number: t.file.Number}, at: name.at}
	switch kind {
	case "script":
		p.key = checks.Script{Command: t.command}.Key() // its environment differs from group to group
	case "file":
		p.key = t.file.Key()
	case "process":
		p.key = t.process.Key()
	}
	return p
}

// resolveTracks checks that the tracks which count as one in a sync group are one. A
// weight of 0 is a FAULT of its own group, and nothing that counts.
func (a *assembly) resolveTracks(groups []string) {
	type use struct {
		probed
		where
	}
	first := map[vrrp.Track]use{}
	for _, name := range groups {
		at, ok := a.seen["vrrp "+name]
		if !ok {
			continue // has been reported
		}
		for _, t := range at.piece.result.value.(*group).probed {
			if f, twice := first[t.Track]; !twice {
				first[t.Track] = use{t, where{at.piece, t.at, name}}
			} else if f.key != t.key && t.Weight != 0 {
				a.fail(at.piece, t.at, f.place(), "track %q %q looks at something else than that of group %q, which has the same weight: "+
					"in their vrrp_sync_group the two count as one; want another name", t.Kind, t.Name, f.name)
			}
		}
	}
}

// probe adds something tracked that the engine probes. Their names are one
// name space, whatever their kind.
func (g *group) probe(d *decoder, name label, m checks.Monitor, initial checks.State, p checks.Probe) {
	for _, other := range g.policy.Tracks {
		if other.Name == name.text {
			d.fail(name.at, "track %q is given twice, as two kinds", name.text)
			return
		}
	}
	m = settle(m)
	m.Probe = p
	g.policy.Tracks = append(g.policy.Tracks, ScriptTrack{Name: name.text, Monitor: m, Initial: initial})
}
