package checks

import (
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/deadline"
)

// Pool runs monitors. See Run.
//
// All methods may be called at any time and from any goroutine.
type Pool struct {
	results chan Result
	wake    chan struct{} // the schedule has changed
	news    chan struct{} // there is something to tell
	limit   int           // probes in flight
	epoch   time.Time     // of the grid that places lie on

	// mu is held for one step: to start what is due, to judge what has ended,
	// to change the set, to look.
	mu       sync.Mutex
	entries  map[Key]*entry
	seeds    map[Key]Status
	places   map[time.Duration]*places
	ways     map[string]*Way // that are open
	gates    map[string]*gate
	schedule deadline.Queue[*entry] // that wait for their time
	pending  []*entry               // have something to tell, oldest first
	allowed  allowance
	tick     time.Duration // the shortest sleep
	behind   time.Duration // by which the schedule's clock is: see stretch
	leftOut  float64       // probes that there was no time for
	clock    clock
	running  int
	calls    []*dialogCall // due, for the reactor
	reactor  *reactor      // once there was a dialog
	stats    Stats
}

// Option changes a Pool from its defaults.
type Option func(*Pool)

// MaxInFlight bounds the probes that run at the same time. The default leaves
// half of the process's file descriptors to others.
func MaxInFlight(n int) Option { return func(p *Pool) { p.limit = n } }

// NewPool returns a Pool without monitors. Nothing happens before Run.
func NewPool(options ...Option) *Pool {
	p := &Pool{
		results: make(chan Result),
		wake:    make(chan struct{}, 1),
		news:    make(chan struct{}, 1),
		limit:   defaultInFlight(),
		epoch:   time.Now(),
		entries: make(map[Key]*entry),
		places:  make(map[time.Duration]*places),
		tick:    tick,
		gates:   make(map[string]*gate),
	}
	for _, option := range options {
		option(p)
	}
	return p
}

// defaultInFlight is half of the file descriptors that the process may have.
func defaultInFlight() int {
	const atLeast, atMost = 64, 16384
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return atLeast
	}
	return int(min(max(limit.Cur/2, atLeast), atMost))
}

// Results tells changes of a monitor's state or weight. A slow reader stops no
// probe and misses no state: what changes again before it has been read is
// told once, from the state that was told last to the newest, and not at all
// when these are the same.
func (p *Pool) Results() <-chan Result { return p.results }

// Status returns the present state of a monitor.
func (p *Pool) Status(key Key) (Status, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[key]
	if e == nil {
		return Status{}, false
	}
	s := Status{State: e.streak.state, Since: e.since, Streak: e.streak.run, Last: e.last, LastAt: e.lastAt, Weight: e.weight}
	if held := e.falls.heldUntil(e.monitor.Damping); s.State == Down && time.Now().Before(held) {
		s.HeldUntil = held
	}
	return s, true
}

// Seed gives the states in which monitors begin that a later Set adds, so that
// health survives a restart: save the Status of each key, whose Key is the
// same in the next process, and seed the new pool with them before its first
// Set. A seeded monitor is as sure of its state as any: one that is up goes
// down after Fall failures, one that is down comes up after Rise successes. No
// Result tells a seeded state, since whoever seeded it knows it. Each Seed
// replaces the one before; a state is used once.
func (p *Pool) Seed(states map[Key]Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seeds = maps.Clone(states)
}

// Set replaces the set of monitors. A monitor that was there before, with the
// same key, is not disturbed at all. One whose policy alone has changed keeps
// the state, streak and last observation that its probe has earned. New ones
// take free places in their interval, between the others.
func (p *Pool) Set(monitors map[Key]Monitor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()

	orphans := make(map[string]*entry) // by the key of their probe
	for _, key := range slices.Sorted(maps.Keys(p.entries)) {
		if _, stays := monitors[key]; !stays {
			e := p.entries[key]
			delete(p.entries, key)
			if probe := e.monitor.Probe.Key(); orphans[probe] == nil {
				orphans[probe] = e
			} else {
				p.remove(e)
			}
		}
	}
	var added []Key
	for key := range monitors {
		if p.entries[key] == nil {
			added = append(added, key)
		}
	}
	slices.Sort(added)
	for _, key := range added {
		m := monitors[key].withDefaults()
		probe := m.Probe.Key()
		if e := orphans[probe]; e != nil {
			delete(orphans, probe)
			p.rename(e, key, m, now)
			continue
		}
		p.add(key, m, now)
	}
	for _, e := range orphans {
		p.remove(e)
	}
	p.measure()
	p.poke()
}

func (p *Pool) add(key Key, m Monitor, now time.Time) {
	e := &entry{key: key, monitor: m, run: m.Probe.Run, through: through(m.Probe)}
	if t, ok := m.Probe.(talker); ok {
		e.dialog = t.dialog()
	}
	if c, ok := m.Probe.(compiler); ok && e.dialog == nil {
		e.run = c.compile()
	}
	kind := m.Probe.Kind()
	if p.gates[kind] == nil {
		p.gates[kind] = new(gate)
		if l, ok := m.Probe.(limited); ok {
			p.gates[kind].max = l.limit()
		}
	}
	e.gate = p.gates[kind]
	if seed, ok := p.seeds[key]; ok {
		delete(p.seeds, key)
		e.streak.state, e.since = seed.State, seed.Since
		e.last, e.lastAt, e.weight = seed.Last, seed.LastAt, seed.Weight
		e.told, e.toldWeight = e.streak.state, e.weight
	}
	p.entries[key] = e
	if isTold(m.Probe) {
		return // it is never due
	}
	e.place = p.placesFor(m.Interval).take()
	e.planFirst(p.epoch, p.planned(now))
	p.schedule.Set(e, e.due)
}

// rename gives e, which is in no set now, another policy for the same probe.
func (p *Pool) rename(e *entry, key Key, m Monitor, now time.Time) {
	if m.Interval != e.monitor.Interval {
		p.placesFor(e.monitor.Interval).giveBack(e.place)
		e.place = p.placesFor(m.Interval).take()
	}
	before, _ := e.monitor.pace(e.streak)
	e.key, e.monitor = key, m
	if after, _ := m.pace(e.streak); after != before && e.InQueue() {
		e.planFirst(p.epoch, p.planned(now))
		p.schedule.Set(e, e.due)
	}
	p.entries[key] = e
}

func (p *Pool) remove(e *entry) {
	e.gone = true
	if isTold(e.monitor.Probe) {
		return
	}
	p.schedule.Remove(e)
	e.gate.waiting = slices.DeleteFunc(e.gate.waiting, func(w *entry) bool { return w == e })
	p.placesFor(e.monitor.Interval).giveBack(e.place)
}

func (p *Pool) placesFor(interval time.Duration) *places {
	if p.places[interval] == nil {
		p.places[interval] = new(places)
	}
	return p.places[interval]
}

// measure counts anew what the monitors need, which otherwise is carried on from
// change to change and gathers rounding errors, and sets the tick for the shortest
// of their intervals.
func (p *Pool) measure() {
	p.allowed.rate, p.tick = 0, tick
	for _, e := range p.entries {
		if !isTold(e.monitor.Probe) {
			p.allowed.rate += 1 / e.interval.Seconds()
			p.tick = min(p.tick, e.monitor.shortest()/tickShare)
		}
	}
}

// poke makes the scheduler look again.
func (p *Pool) poke() {
	signal(p.wake)
	if p.reactor != nil {
		p.reactor.wake()
	}
}

// signal leaves a signal in c, where one is enough.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// talker is a Probe that a reactor can run. A nil dialog says that this one
// cannot be after all.
type talker interface {
	dialog() *dialog
}

// compiler is a Probe that can be made ready once for many runs.
type compiler interface {
	compile() runner
}

// limited is a Probe of which only so many may run at the same time.
type limited interface {
	limit() int
}
