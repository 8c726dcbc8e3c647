package vrrp

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seeds     = flag.Uint64("seeds", 2000, "how many lives of a simulated LAN to try")
	firstSeed = flag.Uint64("first-seed", 0, "the first of them: a failure is replayed with -first-seed N -seeds 1")
)

// TestSimulation lets chance do its worst to a LAN, then leaves it in peace:
// within the protocol's bound there is one master, the right one, and no more
// change.
func TestSimulation(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		if err := simulate(seed, nil); err != nil {
			var story *sim
			_ = simulate(seed, func(s *sim) { story = s })
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(story.log, "\n"))
		}
	}
}

// TestSimulationReplays shows that a seed tells the same story again.
func TestSimulationReplays(t *testing.T) {
	for seed := range uint64(20) {
		var first, second *sim
		_ = simulate(seed, func(s *sim) { first = s })
		_ = simulate(seed, func(s *sim) { second = s })
		if !slices.Equal(first.log, second.log) {
			t.Fatalf("seed %d tells two stories", seed)
		}
	}
}

// simulate is one LAN's life.
func simulate(seed uint64, watch func(*sim)) error {
	s := newSim(seed)
	if watch != nil {
		watch(s)
	}
	intervals := []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}
	p := params{version: 3, interval: intervals[s.rng.IntN(len(intervals))], preempt: s.rng.IntN(3) > 0}
	if p.interval == time.Second && s.rng.IntN(3) == 0 {
		p.version = 2
	}
	if s.rng.IntN(4) == 0 {
		p.preemptDelay = time.Duration(s.rng.IntN(8)) * p.interval
	}
	s.groups = 1 + s.rng.IntN(3)
	s.maxDelay = p.interval / 20
	s.dup = s.rng.Float64() / 4
	nodes := 2 + s.rng.IntN(6)
	for range nodes {
		p.priority = uint8(1 + s.rng.IntN(254))
		if s.rng.IntN(3) == 0 {
			p.priority = 100 // ties
		}
		list := make([]params, s.groups)
		for g := range list {
			list[g] = p
		}
		s.add(1+(s.rng.Float64()-0.5)/100, list...).start()
	}
	if err := s.run(s.upTo(5*p.interval), s.teams); err != nil {
		return err
	}
	for range 3 + s.rng.IntN(12) {
		s.disturb(p)
		if err := s.run(s.upTo(6*p.interval), s.teams); err != nil {
			return err
		}
	}
	return s.settles(p)
}

// disturb does one bad thing.
func (s *sim) disturb(p params) {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	o := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(12) {
	case 0:
		s.loss = s.rng.Float64() * 0.9
		s.note("loss %.2f", s.loss)
	case 1:
		s.loss, s.cut = 0, make(map[[2]int]bool)
		s.note("all links heal")
	case 2:
		s.cut[[2]int{n.id, o.id}] = true
		s.note("nothing gets from %d to %d", n.id, o.id)
	case 3:
		for _, o := range s.nodes {
			s.cut[[2]int{n.id, o.id}], s.cut[[2]int{o.id, n.id}] = true, true
		}
		s.note("node %d is cut off", n.id)
	case 4:
		n.kill()
	case 5:
		n.kill()
		n.start()
	case 6:
		if n.alive && !n.paused {
			n.pause()
			s.after(s.upTo(10*p.interval), n.resume)
		}
	case 7:
		priority := uint8(1 + s.rng.IntN(254))
		s.note("node %d has priority %d", n.id, priority)
		for g := range n.params {
			n.params[g].priority = priority
		}
		n.assign()
	case 8:
		n.fault = fault{reason: "chance", hard: s.rng.IntN(2) == 0}
		s.note("node %d is at fault (hard %t)", n.id, n.fault.hard)
		n.assign()
	case 9:
		n.fault = fault{}
		n.assign()
	case 11:
		g := s.rng.IntN(s.groups)
		s.note("node %d loses group %d and gets it back", n.id, g)
		n.do(func() { n.reload(g) })
	case 10:
		s.note("node %d is to hand over", n.id)
		s.spared = s.now.Add(p.handover() + orderedStay)
		n.do(func() { n.core.handover(n.clock(), "0", "failover") })
	}
}

// settles heals everything and checks the end of the story.
func (s *sim) settles(p params) error {
	s.loss, s.cut, s.dup = 0, make(map[[2]int]bool), 0.1
	s.note("everything heals")
	for _, n := range s.nodes {
		n.resume()
		n.fault = fault{}
		if !n.alive {
			n.start()
		}
		n.assign()
	}
	// Twice: a router may first have to find out that a lower one is master,
	// and a leave that nobody answers may be under way.
	bound := 2*max(4*p.interval, 3*p.interval+time.Second*time.Duration(3-p.version)) + p.preemptDelay + handoverMargin + headStart + p.interval
	bound += max(0, s.spared.Sub(s.now))
	if err := s.run(bound, s.teams); err != nil {
		return err
	}
	s.note("the bound has passed")
	var first []int
	for g := range s.groups {
		first = append(first, s.masters(g)...)
	}
	for g := range s.groups {
		if ids := s.masters(g); len(ids) != 1 || ids[0] != first[0] {
			return fmt.Errorf("group %d has masters %v after %s of peace, group 0 %v", g, ids, bound, s.masters(0))
		}
	}
	best := slices.MaxFunc(s.nodes, func(a, b *simNode) int {
		return int(a.params[0].priority) - int(b.params[0].priority)
	})
	if p.preempt && s.nodes[first[0]].params[0].priority != best.params[0].priority {
		return fmt.Errorf("node %d of priority %d is master, not node %d of %d", first[0], s.nodes[first[0]].params[0].priority, best.id, best.params[0].priority)
	}
	stories := len(s.log)
	peace := func() error {
		if len(s.log) > stories {
			return fmt.Errorf("a change in peace: %s", s.log[stories])
		}
		return nil
	}
	if err := s.run(20*p.interval+p.preemptDelay, peace); err != nil {
		return err
	}
	for _, n := range s.nodes {
		for g, held := range n.holds {
			if held != (n.id == first[0]) {
				return fmt.Errorf("node %d: addresses of group %d are up: %t; master is %d", n.id, g, held, first[0])
			}
		}
	}
	return nil
}
