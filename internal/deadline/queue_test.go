package deadline

import (
	"math/rand/v2"
	"testing"
	"time"
)

type thing struct {
	Entry
	at time.Time
}

// TestQueue adds, moves and removes at random, and wants the queue to hold what
// a plain set holds, in the order of time.
func TestQueue(t *testing.T) {
	epoch := time.Now()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var q Queue[*thing]
		things := make([]thing, 40)
		in := make(map[*thing]bool)
		for range 300 {
			x := &things[random.IntN(len(things))]
			if random.IntN(3) == 0 {
				q.Remove(x)
				delete(in, x)
			} else {
				x.at = epoch.Add(time.Duration(random.IntN(50)))
				q.Set(x, x.at)
				in[x] = true
			}
			if q.Len() != len(in) || x.InQueue() != in[x] {
				t.Fatalf("seed %d: %d things, this one in: %v; want %d, %v", seed, q.Len(), x.InQueue(), len(in), in[x])
			}
		}
		for before := epoch; ; q.Remove(first(q)) {
			x, at, ok := q.First()
			if !ok {
				break
			}
			if !in[x] || !at.Equal(x.at) || at.Before(before) {
				t.Fatalf("seed %d: first is due %v after the one before (in: %v, set to %v)", seed, at.Sub(before), in[x], x.at)
			}
			before = at
			delete(in, x)
		}
		if len(in) > 0 {
			t.Fatalf("seed %d: %d things are lost", seed, len(in))
		}
	}
}

func first(q Queue[*thing]) *thing {
	x, _, _ := q.First()
	return x
}
