// Package deadline keeps things in the order of the times at which they are due.
package deadline

import "time"

// Queue holds things by the time at which each is due; what is due first can be
// had at once, all else takes logarithmic time. The zero Queue is empty. It is
// not safe for concurrent use.
//
// It is not container/heap, which each user would have to tell anew how its
// things are swapped, and which boxes them.
type Queue[T Queued] struct{ heap []slot[T] }

// Queued is what a Queue can hold: a pointer to a struct that embeds Entry.
type Queued interface{ entry() *Entry }

// Entry tells a thing where in a Queue it is, one at a time. The zero Entry is in none.
type Entry struct{ index int } // from 1

func (e *Entry) entry() *Entry { return e }

// InQueue reports whether the thing is in a Queue.
func (e *Entry) InQueue() bool { return e.index > 0 }

type slot[T Queued] struct {
	at    time.Time
	thing T
}

// Len returns how many things there are.
func (q *Queue[T]) Len() int { return len(q.heap) }

// First returns what is due first, and when. It is false if there is nothing.
func (q *Queue[T]) First() (thing T, at time.Time, ok bool) {
	if len(q.heap) == 0 {
		return thing, at, false
	}
	return q.heap[0].thing, q.heap[0].at, true
}

// Set says when a thing is due, which is in this queue or in none.
func (q *Queue[T]) Set(thing T, at time.Time) {
	i := thing.entry().index - 1
	if i < 0 {
		i = len(q.heap)
		q.heap = append(q.heap, slot[T]{})
	}
	q.settle(i, slot[T]{at, thing})
}

// Remove takes a thing out, if it is in.
func (q *Queue[T]) Remove(thing T) {
	i := thing.entry().index - 1
	if i < 0 {
		return
	}
	thing.entry().index = 0
	last := len(q.heap) - 1
	moved := q.heap[last]
	q.heap[last] = slot[T]{}
	q.heap = q.heap[:last]
	if i < last {
		q.settle(i, moved)
	}
}

// settle puts s where it belongs, at i, which is free, or above or below that.
func (q *Queue[T]) settle(i int, s slot[T]) {
	for i > 0 {
		above := (i - 1) / 2
		if !s.at.Before(q.heap[above].at) {
			break
		}
		q.put(i, q.heap[above])
		i = above
	}
	for {
		below := 2*i + 1
		if below >= len(q.heap) {
			break
		}
		if right := below + 1; right < len(q.heap) && q.heap[right].at.Before(q.heap[below].at) {
			below = right
		}
		if !q.heap[below].at.Before(s.at) {
			break
		}
		q.put(i, q.heap[below])
		i = below
	}
	q.put(i, s)
}

func (q *Queue[T]) put(i int, s slot[T]) {
	q.heap[i] = s
	s.thing.entry().index = i + 1
}
