package checks

import (
	"container/heap"
	"math"
	"time"
)

// places hands out the places of monitors within their interval, as fractions
// of it. The n-th is the fractional part of n times the golden ratio: however
// many there are, they lie evenly (the three-gap theorem), and one more never
// moves the others. A place given back is the next to be handed out.
type places struct {
	next int
	free intHeap
}

func (p *places) take() int {
	if len(p.free) > 0 {
		return heap.Pop(&p.free).(int)
	}
	p.next++
	return p.next - 1
}

func (p *places) giveBack(n int) { heap.Push(&p.free, n) }

// fraction returns the n-th place, in [0, 1).
func fraction(n int) float64 {
	_, f := math.Modf(float64(n) * (math.Phi - 1))
	return f
}

// onGrid returns the first time not before earliest that lies at the fraction
// at of an interval, counted from epoch.
func onGrid(epoch, earliest time.Time, interval time.Duration, at float64) time.Time {
	first := epoch.Add(time.Duration(at * float64(interval)))
	gap := earliest.Sub(first)
	if gap <= 0 {
		// Also before the epoch: truncate towards it.
		return first.Add(gap / interval * interval)
	}
	return first.Add((gap + interval - 1) / interval * interval)
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
