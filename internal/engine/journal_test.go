package engine

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestJournalForgetsTheOldest(t *testing.T) {
	j := newJournal()
	const n = 2*journalSize + 3
	for range n {
		j.add(Event{})
	}
	events := j.Recent(-1)
	if len(events) != journalSize || events[0].Seq != n-journalSize+1 || events[len(events)-1].Seq != n {
		t.Errorf("%d events, %d to %d; want %d, %d to %d", len(events), events[0].Seq, events[len(events)-1].Seq, journalSize, n-journalSize+1, n)
	}
	if last := j.Recent(1); len(last) != 1 || last[0].Seq != n {
		t.Errorf("Recent(1) = %v, want the event %d", last, n)
	}
}

func TestJournalSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		j.add(Event{To: "a"})
		j.add(Event{To: "b"})
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan Event)
		go func() {
			defer close(got)
			for ev := range j.Subscribe(ctx, 1) {
				got <- ev
			}
		}()
		if ev := <-got; ev.To != "b" {
			t.Errorf("first event %+v, want b", ev)
		}
		j.add(Event{To: "c"})
		if ev := <-got; ev.To != "c" || ev.Seq != 3 {
			t.Errorf("next event %+v, want c with number 3", ev)
		}
		cancel()
		if ev, open := <-got; open {
			t.Errorf("event %+v after the end", ev)
		}
	})
}
