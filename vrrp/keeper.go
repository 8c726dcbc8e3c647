package vrrp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"
)

// burst is when the i-th announcement after a takeover is made, if there is
// one. One volley at once is lost when a switch port is just coming up or a
// bridge still learns, and the client then waits for its own ARP timeout; so
// the repeats are spread, and grow. The last one comes when the lease of a
// former master that was killed or hangs has run out: until then its kernel may
// have answered for the address.
func (w wish) burst(i int) (time.Duration, bool) {
	times := w.how.Times
	if times == nil {
		times = defaultTimes[:]
		if i == len(times) {
			return max(w.lease+2*time.Second, 6*time.Second), true
		}
	}
	if i < len(times) {
		return times[i], true
	}
	return 0, false
}

// defaultTimes are the announcements of a group that has no wish of its own.
var defaultTimes = [...]time.Duration{
	0, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond,
	time.Second, 5 * time.Second,
}

const (
	// burstGap is the least time from one burst to the next: a flood of
	// reasons to announce is not answered by a flood.
	burstGap = 100 * time.Millisecond

	retryMin = 20 * time.Millisecond
	retryMax = 2 * time.Second
)

// wish is what the loop wants of one member's addresses. The keeper makes it
// true and keeps it true: addresses that others remove come back.
type wish struct {
	member    *member
	link      link
	addresses []netip.Prefix
	lease     time.Duration
	owned     bool       // the owner's addresses are the machine's own: only announced
	own       netip.Addr // of one who is not the owner: not removed
	intent    intent
	dropAt    time.Time // intent is letGo: not before
	announce  uint64    // grows when they are to be announced again
	doubt     uint64    // grows when somebody else has removed one
	how       Announce
	suspect   suspicion // has been claimed by somebody else
}

// intent is what is to become of addresses.
type intent uint8

const (
	leave intent = iota // as they are: what a former run left serves on until it expires
	keep                // on the interface
	letGo               // off it
)

// kept is what the keeper has made of a wish.
type kept struct {
	held      []netip.Prefix
	put       bool      // there, and not only announced
	since     time.Time // the last of them
	announced uint64    // how often, since the start
	problem   string
}

// lease is one address of one wish, and what became of it.
type lease struct {
	w       wish
	prefix  netip.Prefix
	held    bool
	maybe   bool      // not known to be off the interface
	dueAt   time.Time // next change or renewal
	wait    time.Duration
	burst   int       // the next announcement
	began   time.Time // the burst
	spoke   time.Time // when it was announced last
	again   bool      // another burst is due, as soon as burstGap allows
	since   time.Time // it is held
	asked   time.Time // the neighbours, who has it
	turn    int       // to be asked about
	rest    time.Time // there is nothing to do for it before, but for a new wish
	next    time.Time // nor anything that cannot wait before this; zero: there is nothing
	problem string
}

// leaseKey is what tells leases apart.
type leaseKey struct {
	member *member
	prefix netip.Prefix
	index  int  // of the interface
	vmac   bool // it is on the macvlan of that
}

func (l *lease) key() leaseKey { return l.w.key(l.prefix) }

// key is that of the lease of an address.
func (w wish) key(p netip.Prefix) leaseKey {
	return leaseKey{w.member, p, w.link.index, w.link.vmac != nil}
}

// keeper puts addresses on interfaces, renews them, takes them off and
// announces them. It is apart from the loop because the kernel may take its
// time: no advertisement waits for it.
type keeper struct {
	log      *zap.Logger
	kernel   kernel
	wishes   chan []wish           // latest wins
	reports  chan map[*member]kept // latest wins
	nudge    func()                // the loop: there is a report
	leases   []*lease
	told     map[*member]uint64 // announcements made
	spoke    map[int]time.Time  // by interface: the last one
	asker    asker              // nil: nobody is asked
	fresh    map[int]link       // which have just come up, and where addresses have been put up: see forget
	ready    map[int]bool       // links on which a takeover is prepared
	prepared bool               // those of all leases are
	asked    time.Time          // any question
	virtual  func(netip.Addr) bool
	unsettle bool      // what is held is otherwise than reported
	counted  bool      // announcements have been made since the report
	reported time.Time // when that was
	due      []job     // scratch of agenda
	early    []job     // the same
	renewals []holding // scratch of renew
}

func newKeeper(log *zap.Logger, k kernel) *keeper {
	return &keeper{
		log: log, kernel: k, nudge: func() {},
		wishes:  make(chan []wish, 1),
		reports: make(chan map[*member]kept, 1),
		told:    make(map[*member]uint64),
		spoke:   make(map[int]time.Time),
		fresh:   make(map[int]link),
	}
}

// replace puts v into a channel of one place, instead of what is there.
func replace[T any](ch chan T, v T) {
	select {
	case <-ch:
	default:
	}
	ch <- v
}

// someWait returns wait, but never none at all: a timer that has run out when it
// is set is fired by whoever looks at it, and Go 1.26's race detector crashes when
// two goroutines of one synctest bubble do that at the same time.
func someWait(wait time.Duration) time.Duration { return max(wait, 1) }

// run works until ctx is done. Addresses that are held then stay until their
// lease ends.
func (k *keeper) run(ctx context.Context) error {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		select {
		case ws := <-k.wishes:
			k.adopt(ws, time.Now())
			continue
		default:
		}
		due, next := k.agenda(time.Now())
		if len(due) > 0 {
			k.batch(due)
			k.forget()
			continue
		}
		k.prepare()
		k.report(time.Now(), next)
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		t.Reset(someWait(wait))
		select {
		case <-ctx.Done():
			return nil
		case ws := <-k.wishes:
			k.adopt(ws, time.Now())
		case <-t.C:
		}
	}
}

// when tells when a chore is to be done for the lease, if at all.
func (l *lease) when(do chore) (time.Time, bool) {
	switch {
	case do == choreAnnounce && l.w.intent == keep && l.held:
		return l.announceAt()
	case do == choreAdd && l.w.intent == keep && !l.held:
		return l.dueAt, true
	case do == choreDrop && l.w.intent == letGo && l.maybe:
		return later(l.w.dropAt, l.dueAt), true
	case do == choreRenew && l.w.intent == keep && l.held && !l.w.owned:
		return l.dueAt, true
	case do == choreAsk && l.w.intent == keep && l.held:
		return time.Time{}, true // the keeper knows when
	}
	return time.Time{}, false
}

// announceAt is when the address is to be announced next.
func (l *lease) announceAt() (time.Time, bool) {
	if l.again {
		return l.began.Add(burstGap), true
	}
	if d, ok := l.w.burst(l.burst); ok {
		return l.began.Add(d), true
	}
	if l.w.how.Refresh > 0 {
		return l.spoke.Add(l.w.how.Refresh), true
	}
	return time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// work does one chore.
func (k *keeper) work(l *lease, do chore, now time.Time) {
	var err error
	switch do {
	case choreAnnounce:
		if l.again {
			l.burst, l.began, l.again = 0, now, false
		}
		// A repeat that was missed is not made up for.
		for {
			d, ok := l.w.burst(l.burst)
			if !ok || l.began.Add(d).After(now) {
				break
			}
			l.burst++
		}
		l.spoke = now
		k.spoke[l.w.link.index] = now
		k.told[l.w.member]++
		k.counted = true
		if err = k.kernel.announce(l.w.link, l.prefix.Addr()); err != nil {
			err = fmt.Errorf("announce %s on %s: %w", l.prefix.Addr(), l.w.link.name, err)
		}
		l.note(k, err)
		return
	case choreAsk:
		if err = k.ask(l, now); err != nil {
			err = fmt.Errorf("ask who has %s on %s: %w", l.prefix.Addr(), l.w.link.name, err)
		}
		l.note(k, err)
		return
	case choreAdd, choreRenew:
		if !l.w.owned {
			err = k.kernel.hold(k.holding(l))
		}
		if err != nil {
			err = fmt.Errorf("add %s to %s: %w", l.prefix, l.w.link.name, err)
			break
		}
		if !l.held {
			l.burst, l.began, l.again, l.since, l.asked = 0, now, false, time.Now(), time.Time{}
			k.unsettle = true
			if now.Sub(l.w.link.upSince) < recovery {
				k.fresh[l.w.link.index] = l.w.link
			}
		}
		l.held, l.maybe = true, true
		l.dueAt = now.Add(l.w.lease / 3)
	case choreDrop:
		if !l.w.owned && l.prefix.Addr() != l.w.own && !k.contested(l) {
			err = k.kernel.release(l.w.link, l.prefix)
		}
		if err != nil {
			err = fmt.Errorf("remove %s from %s: %w", l.prefix, l.w.link.name, err)
			break
		}
		l.held, l.maybe = false, false
		k.unsettle = true
	}
	if err != nil {
		l.wait = min(max(2*l.wait, retryMin), retryMax)
		l.dueAt = now.Add(l.wait)
	} else {
		l.wait = 0
	}
	l.note(k, err)
}

// contested tells whether another wish keeps the lease's address: that of a
// group that was taken out and put back while it was still leaving.
func (k *keeper) contested(l *lease) bool {
	return slices.ContainsFunc(k.leases, func(o *lease) bool {
		is, was := o.key(), l.key()
		return o != l && o.prefix.Addr() == l.prefix.Addr() && is.index == was.index && is.vmac == was.vmac && o.w.intent == keep
	})
}

// note remembers a lease's trouble and logs it when it is news.
func (l *lease) note(k *keeper, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != l.problem && err != nil {
		k.log.Error("trouble with an address, will be tried again", zap.String("group", l.w.member.name), zap.Error(err))
	}
	k.unsettle = k.unsettle || problem != l.problem
	l.problem = problem
}

// report tells the loop what is held, when that has changed. What is only counted
// is told when there is a pause, or once a second: a thousand announcements are
// no thousand reports.
func (k *keeper) report(now, next time.Time) {
	pause := next.IsZero() || next.Sub(now) >= statusEvery || now.Sub(k.reported) >= statusEvery
	if !k.unsettle && !(k.counted && pause) {
		return
	}
	k.unsettle, k.counted, k.reported = false, false, now
	out := make(map[*member]kept)
	for _, l := range k.leases {
		r := out[l.w.member]
		if l.held || l.w.intent == letGo && l.maybe {
			r.held = append(r.held, l.prefix)
		}
		if l.held {
			r.put, r.since = !l.w.owned, later(r.since, l.since)
		}
		if r.problem == "" {
			r.problem = l.problem
		}
		r.announced = k.told[l.w.member]
		out[l.w.member] = r
	}
	replace(k.reports, out)
	k.nudge()
}
