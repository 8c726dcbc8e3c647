package engine

import (
	"context"
	"iter"
	"sync"
)

// journalSize is how many events a Journal remembers: an hour of a bad night.
const journalSize = 10_000

// Journal keeps the latest events of this run and hands them to any number of
// readers. The engine is its only writer.
type Journal struct {
	mu   sync.Mutex
	ring []Event       // the event with sequence number s is at s % journalSize
	last uint64        // sequence number of the newest event; 0 before the first
	more chan struct{} // closed and replaced at each new event
}

func newJournal() *Journal {
	return &Journal{more: make(chan struct{})}
}

// add numbers the event, keeps it and wakes the readers.
func (j *Journal) add(ev Event) Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	ev.Seq = j.last
	if len(j.ring) < journalSize {
		if j.ring == nil {
			j.ring = append(j.ring, Event{}) // sequence numbers start at 1
		}
		j.ring = append(j.ring, ev)
	} else {
		j.ring[ev.Seq%journalSize] = ev
	}
	close(j.more)
	j.more = make(chan struct{})
	return ev
}

// Recent returns the latest events, the oldest first, n at most.
func (j *Journal) Recent(n int) []Event {
	events, _ := j.after(0)
	if n < 0 || n >= len(events) {
		return events
	}
	return events[len(events)-n:]
}

// Subscribe yields every event after the given sequence number, those that are
// still remembered first, until ctx is done. A reader that is slower than
// journalSize events misses some; the sequence numbers show it.
func (j *Journal) Subscribe(ctx context.Context, after uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			events, more := j.after(after)
			for _, ev := range events {
				if ctx.Err() != nil || !yield(ev) {
					return
				}
				after = ev.Seq
			}
			if len(events) > 0 {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-more:
			}
		}
	}
}

// after returns the remembered events with a greater sequence number and a
// channel that is closed when there are more.
func (j *Journal) after(seq uint64) ([]Event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest := uint64(1)
	if j.last >= journalSize {
		oldest = j.last - journalSize + 1
	}
	var events []Event
	for s := max(seq+1, oldest); s <= j.last; s++ {
		events = append(events, j.ring[s%journalSize])
	}
	return events, j.more
}
