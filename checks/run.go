package checks

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// tick is the shortest sleep of the scheduler: what falls due within it starts
// together, which spares wake-ups when hundreds are due each second. A wake-up, and
// with it that of the servers, can cost more than three probes. Intervals
// of less than tickShare ticks have a shorter one.
const (
	tick      = 8 * time.Millisecond
	tickShare = 16
)

// Run probes until ctx is done. One goroutine schedules and holds all the
// conversations that need none of their own; each other probe in flight has
// one. So the cost grows with probes in flight, not with monitors. When it
// returns nothing of it is left running.
//
// When the machine is late the Pool says so (Stats), makes all intervals longer by
// the same share, starts what is overdue at twice the usual rate at most, and asks
// again instead of counting a failure that fell into a time when this process did
// not run.
func (p *Pool) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel()
	ctx = context.WithValue(ctx, leftovers{}, &probes)
	probes.Go(func() { p.tell(ctx) })
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.poke()
	})()
	defer p.endReactor()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		p.mu.Lock()
		p.clock.woke(now)
		p.startDue(ctx, &probes, now)
		next := p.nextWake(now)
		p.clock.armed = next
		calls := p.calls
		p.calls = nil
		p.mu.Unlock()

		if len(calls) > 0 {
			if err := p.talk(calls); err != nil {
				return fmt.Errorf("run checks: %w", err)
			}
		}
		if p.reactor != nil {
			p.ended(ctx, p.reactor.wait(next))
			continue
		}
		timer.Reset(next.Sub(now))
		select {
		case <-timer.C:
		case <-p.wake:
		}
	}
	return nil
}

// talk starts dialogs in the reactor, which is made for the first of them.
func (p *Pool) talk(calls []*dialogCall) error {
	if p.reactor == nil {
		r, err := newReactor()
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.reactor = r
		p.mu.Unlock()
	}
	p.reactor.start(calls)
	return nil
}

func (p *Pool) endReactor() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reactor != nil {
		p.reactor.close()
		p.reactor = nil
	}
}

// nextWake returns when the scheduler must look again, if nothing happens before.
func (p *Pool) nextWake(now time.Time) time.Time {
	const never = time.Hour
	next := now.Add(never)
	if _, due, ok := p.schedule.First(); ok && p.running < p.limit {
		next = due.Add(p.behind)
	}
	if p.running > 0 {
		next = earlier(next, now.Add(heartbeat))
	}
	return later(next, now.Add(p.tick))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// startDue starts the probes whose time has come, as far as bounds allow.
func (p *Pool) startDue(ctx context.Context, probes *sync.WaitGroup, now time.Time) {
	p.allowed.refill(now)
	p.stretch(now)
	for _, g := range p.gates {
		for len(g.waiting) > 0 && !g.full() && p.running < p.limit {
			e := g.waiting[0]
			g.waiting = g.waiting[1:]
			p.start(ctx, probes, e, now)
		}
	}
	for p.running < p.limit {
		e, due, ok := p.schedule.First()
		if !ok || due.After(p.planned(now)) {
			return
		}
		if !p.allowed.spend() {
			return
		}
		p.schedule.Remove(e)
		if e.gate.full() {
			e.gate.waiting = append(e.gate.waiting, e)
			continue
		}
		p.start(ctx, probes, e, now)
	}
}

func (p *Pool) start(ctx context.Context, probes *sync.WaitGroup, e *entry, now time.Time) {
	way := p.ways[e.through]
	if way == nil && e.through != "" {
		p.plan(e, now) // it is not open yet
		return
	}
	if late := p.planned(now).Sub(e.due); late > tick {
		p.clock.lag.add(now, late)
		e.late = late > e.interval/2
	} else {
		e.late = false
	}
	p.running++
	p.stats.Started++
	e.gate.running++
	e.stalled = p.clock.stalled
	timeout := e.monitor.Timeout
	if e.dialog != nil {
		p.calls = append(p.calls, &dialogCall{entry: e, dialog: e.dialog, way: way, timeout: timeout})
		return
	}
	run := e.run
	probes.Go(func() {
		begin := time.Now()
		probe, cancel := WithTimeout(ctx, timeout)
		defer cancel()
		if way != nil {
			probe = WithWay(probe, *way)
		}
		seen := run(probe)
		if seen.Latency == 0 {
			seen.Latency = time.Since(begin)
		}
		p.ended(ctx, []ending{{e, begin, seen}})
	})
}

// ended takes what probes have seen.
func (p *Pool) ended(ctx context.Context, ends []ending) {
	if len(ends) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return // they were cut off
	}
	now := time.Now()
	p.clock.woke(now)
	wait := false // somebody waits for one of these to end
	for _, end := range ends {
		if late := p.planned(end.begin).Sub(end.entry.due); late > tick {
			p.clock.lag.add(now, late)
		}
		wait = wait || p.running >= p.limit || len(end.entry.gate.waiting) > 0
		p.judge(end.entry, end.seen, now)
	}
	if len(p.pending) > 0 {
		signal(p.news)
	}
	if _, due, ok := p.schedule.First(); wait || ok && due.Before(p.planned(p.clock.armed)) {
		p.poke()
	}
}

// judge takes what a probe has seen and plans the next.
func (p *Pool) judge(e *entry, seen Observation, now time.Time) {
	p.running--
	e.gate.running--
	if e.gone {
		return
	}
	seen = p.hint(e, seen)
	switch {
	case seen.OK:
	case seen.Ours:
		p.stats.Failed++
		e.last, e.lastAt = seen, now
		p.plan(e, now)
		return
	case e.unfair(p.clock.stalled - e.stalled):
		p.stats.Repeated++
		e.due = p.planned(now)
		p.schedule.Set(e, e.due)
		return
	}
	p.note(e, seen, now)
	p.plan(e, now)
}

// note changes e by an observation that counts.
func (p *Pool) note(e *entry, seen Observation, now time.Time) {
	e.heard = 0
	before, weight := e.streak.state, e.weight
	e.observe(seen, now)
	e.last, e.lastAt = seen, now
	if seen.Weight != nil || seen.OK {
		e.weight = nextWeight(e.weight, seen.Weight, e.monitor.WeightStep)
	}
	if e.streak.state != before {
		e.since = now
	}
	if e.streak.state != before || !sameWeight(e.weight, weight) {
		e.decided, e.decidedAt = seen, now
		e.decided.Weight = e.weight
	}
	if !e.queued && e.news() {
		e.queued = true
		p.pending = append(p.pending, e)
	}
}

// observe changes the streak by one observation.
func (e *entry) observe(seen Observation, now time.Time) {
	next := e.streak.observe(seen.OK, e.monitor.rule())
	switch {
	case next.state == Down && e.streak.state == Up:
		e.falls = e.falls.add(now, e.monitor.Damping)
	case next.state == Up && e.streak.state == Down && now.Before(e.falls.heldUntil(e.monitor.Damping)):
		return // it may not come up yet; the streak waits as it is
	}
	e.streak = next
}

// plan puts e, which neither runs nor waits, back into the schedule.
func (p *Pool) plan(e *entry, now time.Time) {
	p.allowed.rate -= 1 / e.interval.Seconds()
	if leftOut := e.plan(p.epoch, p.planned(now)); e.late {
		p.stats.Skipped += leftOut
	}
	p.allowed.rate += 1 / e.interval.Seconds()
	p.schedule.Set(e, e.due)
}

// news reports whether the reader of Results does not know the present state.
func (e *entry) news() bool {
	return e.told != e.streak.state || !sameWeight(e.toldWeight, e.weight)
}

func sameWeight(a, b *int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// tell tells the reader of Results what is pending, until ctx is done.
func (p *Pool) tell(ctx context.Context) {
	for {
		e, result := p.nextResult()
		var results chan<- Result
		if e != nil {
			results = p.results
		}
		select {
		case <-ctx.Done():
			return
		case <-p.news: // perhaps about this one
		case results <- result:
			p.told(e, result)
		}
	}
}

// nextResult returns the oldest change that is not told yet, and whose it is.
func (p *Pool) nextResult() (*entry, Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.pending) > 0 {
		e := p.pending[0]
		if !e.gone && e.news() {
			return e, Result{Key: e.key, From: e.told, To: e.streak.state, At: e.decidedAt, Seen: e.decided}
		}
		e.queued = false
		p.pending = p.pending[1:]
	}
	return nil, Result{}
}

// told notes that the reader has r, which may be old already.
func (p *Pool) told(e *entry, r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.told, e.toldWeight = r.To, r.Seen.Weight
	p.pending = p.pending[1:]
	e.queued = e.news()
	if e.queued {
		p.pending = append(p.pending, e)
	}
}
