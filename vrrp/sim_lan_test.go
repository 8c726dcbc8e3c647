package vrrp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// sim is a LAN of routers in virtual time. It is one goroutine and one seeded
// source of chance, so a seed replays exactly.
type sim struct {
	rng   *rand.Rand
	now   time.Time
	queue simQueue
	seq   int
	nodes []*simNode
	log   []string

	groups   int // virtual routers on each node
	loss     float64
	maxDelay time.Duration
	cut      map[[2]int]bool // from, to: nothing arrives
	dup      float64
	mute     map[int]bool // groups whose LAN carries nothing
	spared   time.Time    // until then a successor is, to whom somebody was told to hand over
}

// simEvent is something that will happen.
type simEvent struct {
	at  time.Time
	seq int // in order of making, when at the same time
	do  func()
}

type simQueue []simEvent

func (q simQueue) Len() int { return len(q) }

func (q simQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}

func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *simQueue) Push(x any) { *q = append(*q, x.(simEvent)) }

func (q *simQueue) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}

func newSim(seed uint64) *sim {
	return &sim{
		rng: rand.New(rand.NewPCG(seed, 0)),
		now: time.Unix(1e9, 0), groups: 1, maxDelay: time.Millisecond, cut: make(map[[2]int]bool),
	}
}

func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now.Add(d), s.seq, do})
}

func (s *sim) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%10s ", s.now.Sub(time.Unix(1e9, 0)).Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d) + 1)) }

// run lets time pass, calling check after everything that happens.
func (s *sim) run(d time.Duration, check func() error) error {
	end := s.now.Add(d)
	for {
		next, node := end, (*simNode)(nil)
		for _, n := range s.nodes {
			if at, ok := n.next(); ok && at.Before(next) {
				next, node = at, n
			}
		}
		if len(s.queue) > 0 && !s.queue[0].at.After(next) {
			e := heap.Pop(&s.queue).(simEvent)
			s.now = e.at
			e.do()
		} else if node != nil {
			s.now = next
			node.lag = s.upTo(500 * time.Microsecond)
			node.do(func() { node.core.fire(node.clock()) })
		} else {
			s.now = end
			return nil
		}
		if err := check(); err != nil {
			return err
		}
	}
}

func (s *sim) broadcast(from *simNode, group int, a heard) {
	for _, to := range s.nodes {
		if to == from || s.mute[group] || s.cut[[2]int{from.id, to.id}] || s.rng.Float64() < s.loss {
			continue
		}
		for range 1 + min(1, int(s.rng.Float64()/max(1-s.dup, 1e-9))) {
			s.after(s.upTo(s.maxDelay), func() {
				to.do(func() {
					for _, m := range to.byID {
						if m == to.byID[group] {
							to.core.receive(to.clock(), to.clock(), m, a)
						}
					}
				})
			})
		}
	}
}

// masters are the nodes that are master of a group, leaving ones included.
func (s *sim) masters(group int) []int {
	var ids []int
	for _, n := range s.nodes {
		if n.alive && n.byID[group].state == Master {
			ids = append(ids, n.id)
		}
	}
	return ids
}

// teams checks what holds at every moment: no sync group is divided, but for
// members that are on their way out.
func (s *sim) teams() error {
	for _, n := range s.nodes {
		serving, idle := 0, 0
		for _, m := range n.byID {
			switch {
			case m.serving():
				serving++
			case m.state != Master:
				idle++
			}
		}
		if n.alive && serving > 0 && idle > 0 {
			return fmt.Errorf("node %d is master of %d groups and not of %d of its sync group", n.id, serving, idle)
		}
	}
	return nil
}
