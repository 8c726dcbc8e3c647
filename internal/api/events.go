package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lvs-director/director/internal/engine"
)

// getEvents writes past events and, on request, new ones until the client or
// the server goes.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	past := s.journal.Recent(MaxRecent)
	last := uint64(0)
	if n := len(past); n > 0 {
		last = past[n-1].Seq
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	if q.After > last {
		if out.Encode(restarted(q.After)) != nil {
			return
		}
		q.After = 0
	}
	for _, e := range selectPast(past, q) {
		if out.Encode(e) != nil {
			return // the client went away
		}
	}
	if !q.Follow {
		return
	}
	flush := http.NewResponseController(w)
	extendDeadline(w, writeTimeout)
	// The header must go out even when there is nothing to tell yet.
	_ = flush.Flush()
	for e := range s.journal.Subscribe(r.Context(), last) {
		gap := e.Seq - last - 1
		last = e.Seq
		if gap == 0 && !q.Match(e) {
			continue
		}
		extendDeadline(w, writeTimeout)
		if gap > 0 && out.Encode(gapBefore(e, gap)) != nil {
			return
		}
		if q.Match(e) && out.Encode(e) != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// selectPast returns the newest q.Recent events that q wants, oldest first.
func selectPast(past []engine.Event, q Query) []engine.Event {
	var wanted []engine.Event
	for _, e := range past {
		if q.Match(e) {
			wanted = append(wanted, e)
		}
	}
	if q.Recent > 0 && len(wanted) > q.Recent {
		wanted = wanted[len(wanted)-q.Recent:]
	}
	return wanted
}

// restarted is the event that says that the last one a client knows is of a run of the
// daemon before this one, which counts anew.
func restarted(after uint64) engine.Event {
	return engine.Event{
		Time:   time.Now(),
		Kind:   KindGap,
		Reason: fmt.Sprintf("no event %d: the daemon has been restarted, and all its events follow", after),
	}
}

// gapBefore is the event that says how many events before e were lost.
func gapBefore(e engine.Event, lost uint64) engine.Event {
	return engine.Event{
		Seq:    e.Seq - 1,
		Time:   e.Time,
		Kind:   KindGap,
		Reason: fmt.Sprintf("%d events lost: this reader is too slow", lost),
	}
}
