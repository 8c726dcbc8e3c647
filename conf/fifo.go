package conf

// FIFO is a named pipe that is told of states, in keepalived's words.
type FIFO struct {
	Path string
	Of   FIFOSubjects
}

// FIFOSubjects are whose states a named pipe is told.
type FIFOSubjects struct {
	VRRP     bool // groups and sync groups
	Services bool // virtual servers and real servers
}

// notifyFIFO is a block notify_fifo as decoded.
type notifyFIFO struct {
	FIFO
	path label
}

var fifoSchema = schema[notifyFIFO]{
	kind:   "notify_fifo",
	labels: []string{"a path"},
	doc: "A named pipe that is told, a line each, of the states that groups, virtual servers and real servers enter, in keepalived's format. " +
		"It is made if it is not there, for root alone. Nothing waits for its reader.",
	start: func() notifyFIFO { return notifyFIFO{FIFO: FIFO{Of: FIFOSubjects{VRRP: true, Services: true}}} },
	keys: []key[notifyFIFO]{
		choice("of", []word[FIFOSubjects]{
			{"all", FIFOSubjects{VRRP: true, Services: true}}, {"vrrp", FIFOSubjects{VRRP: true}}, {"services", FIFOSubjects{Services: true}},
		}, func(f *notifyFIFO) *FIFOSubjects { return &f.Of },
			"whose states. `vrrp`: of groups and sync groups. `services`: of virtual servers and their real servers"),
	},
}

// decodeFIFO decodes a block notify_fifo.
func decodeFIFO(d *decoder, b *block) any {
	f := fifoSchema.decode(d, b)
	f.path = b.label(0)
	f.Path = f.path.text
	if want := checkAbsolute(f.Path); f.Path != "" && want != "" {
		d.fail(f.path.at, "notify_fifo %q: want %s", f.Path, want)
	}
	return &f
}

// addFIFO takes up a named pipe.
func (a *assembly) addFIFO(p *piece, f *notifyFIFO) {
	a.named(p, "notify_fifo", f.path)
	a.config.FIFOs = append(a.config.FIFOs, f.FIFO)
}
