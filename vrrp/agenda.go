package vrrp

import (
	"cmp"
	"slices"
	"time"
)

// chore is what is to be done for a lease, the most urgent first.
type chore uint8

const (
	choreAnnounce chore = iota
	choreAdd
	choreDrop
	choreRenew
	choreAsk
	chores
)

// job is a chore that is due.
type job struct {
	l    *lease
	do   chore
	rank int // the lowest first
	at   time.Time
}

// batchSize is how many jobs are done before it is seen anew what is due: to see it
// takes a look at every lease. The renewal of many leases takes as long as renewalJobs.
const batchSize, renewalJobs = 64, 8

// agenda returns what is due, the most urgent first and then what has waited
// the longest, and when the next thing will be, if there is one. A takeover does
// not wait for the renewal of a thousand other addresses, but a lease that has
// lost two thirds of its time waits for nothing. When a lease is to be renewed, so
// are those that would be soon: a thousand are renewed in a few calls, and not
// in hundreds, for each of which the agenda is made anew.
func (k *keeper) agenda(now time.Time) (due []job, next time.Time) {
	due, k.early = k.due[:0], k.early[:0]
	renews := false
	for _, l := range k.leases {
		if l.rest.After(now) {
			next = sooner(next, l.next)
			continue
		}
		l.rest, l.next = now.Add(time.Hour), time.Time{}
		for do := range chores {
			at, ok := k.when(l, do)
			if !ok {
				continue
			}
			rest := at
			switch {
			case !at.After(now):
				rank := int(do) + 1
				if do == choreRenew && now.Sub(at) > l.w.lease/3 {
					rank = 0
				}
				if do == choreAsk {
					at = k.askAt(l) // all wait for the same moment: whose own has passed first
				}
				due = append(due, job{l, do, rank, at})
				renews = renews || do == choreRenew
			case do == choreRenew:
				if rest = at.Add(-l.w.lease / 12); rest.Before(now) {
					k.early = append(k.early, job{l, do, int(do) + 1, at})
				}
				fallthrough
			default:
				l.next = sooner(l.next, at)
			}
			l.rest = sooner(l.rest, rest)
		}
		next = sooner(next, l.next)
	}
	if renews {
		due = append(due, k.early...)
	}
	slices.SortStableFunc(due, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), a.at.Compare(b.at))
	})
	k.due = due
	return due, next
}

// sooner returns the earlier of two times; zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// batch does what is due, until there are new wishes.
func (k *keeper) batch(due []job) {
	for room := batchSize; room > 0 && len(due) > 0 && len(k.wishes) == 0; room-- {
		j := due[0]
		if j.do == choreRenew {
			n := 1
			for n < min(len(due), renewSize) && due[n].do == choreRenew {
				n++
			}
			k.renew(due[:n])
			due, room = due[n:], room-(renewalJobs-1)
			continue
		}
		k.doIfDue(j.l, j.do)
		if j.do == choreAdd {
			k.doIfDue(j.l, choreAnnounce)
		}
		due = due[1:]
	}
}

// doIfDue does a chore unless what was done meanwhile has put it off.
func (k *keeper) doIfDue(l *lease, do chore) {
	now := time.Now()
	if at, ok := k.when(l, do); ok && !at.After(now) {
		k.work(l, do, now)
	}
}

// when is the lease's, and for announcements not before others on the same
// interface leave room, and for questions not before any other does.
func (k *keeper) when(l *lease, do chore) (time.Time, bool) {
	at, ok := l.when(do)
	if spacing := l.w.how.Spacing; ok && do == choreAnnounce && spacing > 0 {
		at = later(at, k.spoke[l.w.link.index].Add(spacing))
	}
	if ok && do == choreAsk {
		at, ok = later(k.askAt(l), k.asked.Add(askSpacing)), k.asker != nil
	}
	return at, ok
}
