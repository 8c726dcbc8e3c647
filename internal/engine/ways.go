package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// waysFile is the name of the file, in the state directory, that remembers
// which mark belongs to which way of checks through forwarding.
const waysFile = "probe_marks.json"

// ways is the engine's side of checks that go through forwarding: each way is a
// service for a mark, with one destination.
type ways struct {
	path     string
	numbers  wayNumbers
	open     map[string]checks.Way // to be opened once their services are in the kernel
	opened   map[string]checks.Way // those of them that are
	services []ipvsctl.Service
	looked   bool // in this turn, whether the kernel has the services
	seen     bool // and what it has could be read
}

// wayNumbers are the numbers of ways by their names. The mark of a way is its
// number added to conf.IPVS.ProbeMarks.
type wayNumbers struct {
	Next uint32            `json:"next"` // tried first for a new way
	Ways map[string]uint32 `json:"ways"`
}

// slot decides the source ports of a way.
func slot(number uint32) uint32 { return number % conf.WaySlots }

// numberWays gives each way a number and returns those that get none, which are
// more than there are numbers. A way keeps the number that it had. A new one gets
// one that has rested longest: IPVS still knows connections that were made with
// the others. Ways on which one address is asked get different slots.
func numberWays(had wayNumbers, wanted map[string][]*conf.Way) (now wayNumbers, without []string) {
	now = wayNumbers{Next: had.Next, Ways: make(map[string]uint32, len(wanted))}
	type place struct {
		asks netip.AddrPort
		slot uint32
	}
	given := make(map[uint32]bool, len(wanted))
	used := make(map[place]bool, len(wanted))
	give := func(name string, number uint32) bool {
		if number >= conf.WayMarks || given[number] || slices.ContainsFunc(wanted[name], func(w *conf.Way) bool { return used[place{w.Asks, slot(number)}] }) {
			return false
		}
		for _, w := range wanted[name] {
			used[place{w.Asks, slot(number)}] = true
		}
		given[number], now.Ways[name] = true, number
		return true
	}
	names := slices.Sorted(maps.Keys(wanted))
	for _, name := range names {
		if number, ok := had.Ways[name]; ok {
			give(name, number)
		}
	}
	for _, name := range names {
		_, has := now.Ways[name]
		for i := uint32(0); !has && i < conf.WayMarks; i++ {
			number := (now.Next + i) % conf.WayMarks
			if has = give(name, number); has {
				now.Next = (number + 1) % conf.WayMarks
			}
		}
		if !has {
			without = append(without, name)
		}
	}
	return now, without
}

// waysOf returns the ways of a configuration by their names, once for each
// address that is asked on them.
func waysOf(config *conf.Config) map[string][]*conf.Way {
	wanted := make(map[string][]*conf.Way)
	for _, vs := range config.VirtualServers {
		for r := range vs.Servers() {
			for _, c := range r.Checks {
				if w := c.Way; w != nil && !slices.ContainsFunc(wanted[w.Name], func(o *conf.Way) bool { return o.Asks == w.Asks }) {
					wanted[w.Name] = append(wanted[w.Name], w)
				}
			}
		}
	}
	return wanted
}

// planWays decides the services of the ways that have numbers, in the order of
// their marks, and what the checks need to know of each.
func planWays(first uint32, numbers wayNumbers, wanted map[string][]*conf.Way) ([]ipvsctl.Service, map[string]checks.Way) {
	services := make([]ipvsctl.Service, 0, len(numbers.Ways))
	open := make(map[string]checks.Way, len(numbers.Ways))
	for name, number := range numbers.Ways {
		w := wanted[name][0]
		services = append(services, ipvsctl.Service{
			ID:           ipvsctl.ServiceID{FWMark: first + number, Family: w.Family},
			Scheduler:    "rr",
			Destinations: []ipvsctl.Destination{w.Destination},
		})
		open[name] = checks.Way{
			Mark:      first + number,
			FirstPort: uint16(conf.FirstWayPort + conf.WayPorts*slot(number)), Ports: conf.WayPorts,
			Hint: hintOf(w.Destination.Forward),
		}
	}
	slices.SortFunc(services, func(a, b ipvsctl.Service) int { return a.ID.Compare(b.ID) })
	return services, open
}

// hintOf says what may be wrong when a server does not answer on its way.
func hintOf(f ipvsctl.Forward) string {
	switch f {
	case ipvsctl.DR:
		return "asked through direct routing: has the server the virtual address on its loopback, and does it answer by itself?"
	case ipvsctl.TUN:
		return "asked through the tunnel: has the server the tunnel's device, up and with the virtual address, and does it answer by itself?"
	default:
		return "asked through address translation: do the server's answers come back through this machine?"
	}
}

// loadWayNumbers reads the numbers that an earlier run gave. Without them ways get new marks.
func loadWayNumbers(stateDir string, log *zap.Logger) wayNumbers {
	var numbers wayNumbers
	path := filepath.Join(stateDir, waysFile)
	data, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return numbers
	}
	if err == nil {
		err = json.Unmarshal(data, &numbers)
	}
	if err != nil {
		log.Warn("cannot read which marks the checks have; they get new ones", zap.String("file", path), zap.Error(err))
		return wayNumbers{}
	}
	return numbers
}

// save writes the numbers for a later run.
func (w *ways) save() error {
	data, err := json.Marshal(w.numbers)
	if err == nil {
		err = writeFile(w.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember the marks of checks: %w", err)
	}
	return nil
}

// setWays makes the ways of a configuration rows of the desired table. Those that
// are new or changed are open to checks when the kernel has them.
func (e *Engine) setWays(config *conf.Config) {
	w := &e.ways
	wanted := waysOf(config)
	numbers, without := numberWays(w.numbers, wanted)
	if len(without) > 0 {
		e.event(Event{Kind: KindApply, Reason: "checks do not run: there is no mark left for their way to the real server",
			Error: fmt.Sprintf("%s: %s", plural(len(without), "way"), without[0])})
	}
	if !reflect.DeepEqual(numbers, w.numbers) && len(numbers.Ways)+len(w.numbers.Ways) > 0 {
		w.numbers = numbers
		if err := w.save(); err != nil {
			e.event(Event{Kind: KindApply, Reason: "after a restart checks get other marks", Error: err.Error()})
		}
	}
	services, open := planWays(config.IPVS.ProbeMarks, numbers, wanted)
	if !reflect.DeepEqual(services, w.services) {
		e.table.forget(w.services)
		e.table.want(services)
		w.services = services
	}
	w.open = open
	same := maps.Clone(w.opened)
	maps.DeleteFunc(same, func(name string, way checks.Way) bool { return open[name] != way })
	if len(same) < len(w.opened) {
		e.opts.Pool.SetWays(same)
		w.opened = same
	}
}

// openWays lets the checks go the ways whose services the kernel has, whatever
// else it does not have.
func (e *Engine) openWays() {
	w := &e.ways
	if len(w.opened) == len(w.open) {
		return
	}
	has := make(map[uint32]bool, len(w.services))
	for _, s := range w.services {
		has[s.ID.FWMark] = holds(e.table.known.Services[s.ID], s.Destinations[0].Addr)
	}
	opened := maps.Clone(w.open)
	maps.DeleteFunc(opened, func(name string, way checks.Way) bool {
		_, is := w.opened[name]
		return !is && !has[way.Mark]
	})
	if len(opened) > len(w.opened) {
		e.opts.Pool.SetWays(opened)
		w.opened = opened
	}
}

// wayLost tells whether a monitor's probes do not get to their real server, since
// somebody else has removed the service of their way: then they have told
// nothing of the server. The kernel is asked at most once a turn, and repaired.
func (e *Engine) wayLost(key checks.Key) bool {
	way := e.wayOf(key)
	if way == nil {
		return false
	}
	if !e.ways.looked {
		e.ways.looked, e.ways.seen = true, e.look()
	}
	id := ipvsctl.ServiceID{FWMark: e.config.IPVS.ProbeMarks + e.ways.numbers.Ways[way.Name], Family: way.Family}
	if !e.ways.seen || holds(e.table.known.Services[id], way.Destination.Addr) {
		return false
	}
	e.table.changed = true // its repair does not wait for what is refused again and again
	return true
}

// wayOf returns the way of a monitor's probes; nil is none.
func (e *Engine) wayOf(key checks.Key) *conf.Way {
	for _, u := range e.users[key] {
		for _, c := range u.configured().Checks {
			if c.Key == key {
				return c.Way
			}
		}
	}
	return nil
}

// ProbeWays returns the ways of a configuration as a daemon has opened them
// that uses the same state directory, by their names.
func ProbeWays(config *conf.Config, log *zap.Logger) map[string]checks.Way {
	wanted := waysOf(config)
	numbers, _ := numberWays(loadWayNumbers(config.StateDir, log), wanted)
	_, open := planWays(config.IPVS.ProbeMarks, numbers, wanted)
	return open
}
