package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// simNode is one machine.
type simNode struct {
	sim    *sim
	id     int
	core   core
	byID   []*member // by group
	params []params
	fault  fault
	alive  bool
	paused bool
	queued []func() // what happened while paused
	lag    time.Duration
	speed  float64 // of its clock, against the true one
	holds  []bool  // the addresses are on the interface
	wants  []int   // grows with each change of mind about the addresses

	sent, announced int
}

// clock is the node's own time.
func (n *simNode) clock() time.Time {
	start := time.Unix(1e9, 0)
	return start.Add(time.Duration(float64(n.sim.now.Sub(start)) * n.speed))
}

// next is when the node's timers run out, by the true clock. A timer is never
// served at the very instant.
func (n *simNode) next() (time.Time, bool) {
	at := n.core.next()
	if at.IsZero() || !n.alive || n.paused {
		return at, false
	}
	start := time.Unix(1e9, 0)
	at = start.Add(time.Duration(float64(at.Sub(start))/n.speed) + n.lag + time.Nanosecond)
	if at.Before(n.sim.now) {
		at = n.sim.now
	}
	return at, true
}

// do lets the node do something, or remembers it while the node is stopped.
func (n *simNode) do(f func()) {
	switch {
	case !n.alive:
	case n.paused:
		if len(n.queued) < atOnce {
			n.queued = append(n.queued, f)
		}
	default:
		f()
		n.carryOut()
	}
}

// carryOut does what the core wants.
func (n *simNode) carryOut() {
	for _, e := range slices.Clone(n.core.take()) {
		g := slices.Index(n.byID, e.member)
		if g < 0 {
			continue
		}
		switch e.kind {
		case effSend:
			n.sent++
			n.sim.broadcast(n, g, heard{priority: e.priority, interval: n.params[g].interval, src: n.params[g].self})
		case effHold:
			n.wants[g]++
			want := n.wants[g]
			n.sim.after(n.sim.upTo(5*time.Millisecond), func() {
				if n.alive && n.wants[g] == want {
					n.holds[g] = true
					n.do(func() { n.core.held(n.clock(), e.member) })
				}
			})
		case effDrop:
			n.wants[g]++
			want := n.wants[g]
			n.sim.after(e.after+n.sim.upTo(2*time.Millisecond), func() {
				if n.alive && n.wants[g] == want {
					n.holds[g] = false
				}
			})
		case effAnnounce:
			n.announced++
		case effTransition:
			n.sim.note("node %d group %d: %s -> %s: %s", n.id, g, e.transition.From, e.transition.To, e.transition.Reason)
		}
	}
}

// add puts a machine on the LAN.
func (s *sim) add(speed float64, list ...params) *simNode {
	n := &simNode{sim: s, id: len(s.nodes), speed: speed}
	for g := range list {
		list[g].self = netip.AddrFrom4([4]byte{10, 0, byte(g), byte(n.id + 1)})
	}
	n.params = list
	n.holds, n.wants = make([]bool, len(list)), make([]int, len(list))
	s.nodes = append(s.nodes, n)
	return n
}

// start boots the program: what an earlier run left is forgotten.
func (n *simNode) start() {
	n.alive, n.paused, n.queued = true, false, nil
	n.core = core{}
	n.byID = nil
	for g := range n.params {
		n.byID = append(n.byID, newMember(Group{Name: fmt.Sprint(g)}))
	}
	n.sim.note("node %d starts", n.id)
	n.assign()
}

// assign tells the node's core its parameters and its fault.
func (n *simNode) assign() {
	n.do(func() {
		team := ""
		if len(n.params) > 1 {
			team = "all"
		}
		var places []place
		for g, m := range n.byID {
			places = append(places, place{member: m, team: team, params: n.params[g], fault: n.fault})
		}
		n.core.assign(n.clock(), places)
	})
}

// reload removes a group, which leaves by rule, and puts it back as a new one.
func (n *simNode) reload(g int) {
	var places []place
	for i, m := range n.byID {
		if i != g {
			places = append(places, place{member: m, team: "all", params: n.params[i], fault: n.fault})
		}
	}
	n.core.assign(n.clock(), places)
	n.carryOut()
	n.byID[g] = newMember(Group{Name: fmt.Sprint(g)})
	n.holds[g] = false
	n.wants[g]++
	n.assign()
}

// kill ends the program at once; the kernel's lease takes the addresses off.
func (n *simNode) kill() {
	n.sim.note("node %d is killed", n.id)
	n.alive = false
	for g := range n.holds {
		n.holds[g] = false
		n.wants[g]++
	}
}

func (n *simNode) pause() {
	n.sim.note("node %d is stopped", n.id)
	n.paused = true
}

func (n *simNode) resume() {
	if !n.alive || !n.paused {
		return
	}
	n.sim.note("node %d goes on", n.id)
	n.paused = false
	queued := n.queued
	n.queued = nil
	// Packets may be read before or after the timers are noticed.
	if n.sim.rng.IntN(2) == 0 {
		n.do(func() { n.core.fire(n.clock()) })
	}
	for _, f := range queued {
		n.do(f)
	}
}
