package vrrp

import (
	"net/netip"
	"time"
)

// adopt takes new wishes. An address that several want is kept.
func (k *keeper) adopt(ws []wish, now time.Time) {
	k.unsettle = true
	if k.alike(ws) {
		i := 0
		for _, w := range ws {
			for range w.addresses {
				k.leases[i].adopt(w, now)
				k.leases[i].turn = i
				i++
			}
		}
		return
	}
	virtual := make(map[netip.Addr]bool)
	old := make(map[leaseKey]*lease, len(k.leases))
	for _, l := range k.leases {
		old[l.key()] = l
	}
	was := k.leases
	k.leases = make([]*lease, 0, len(was))
	for _, w := range ws {
		for _, p := range w.addresses {
			virtual[p.Addr()] = true
			key := w.key(p)
			l := old[key]
			if l == nil {
				l = &lease{w: w, prefix: p, maybe: true, dueAt: now}
			}
			delete(old, key)
			l.adopt(w, now)
			l.turn = len(k.leases)
			k.leases = append(k.leases, l)
		}
	}
	// Addresses that nobody speaks of any more: a shorter list of addresses, a
	// group that has gone. They are let go.
	for _, l := range was {
		if old[l.key()] != l || !l.maybe || l.w.link.index == 0 {
			continue
		}
		w := l.w
		if w.intent != letGo {
			w.intent, w.dropAt = letGo, now
		}
		l.adopt(w, now)
		k.leases = append(k.leases, l)
	}
	present := make(map[*member]bool)
	for _, l := range k.leases {
		present[l.w.member] = true
	}
	for m := range k.told {
		if !present[m] {
			delete(k.told, m)
		}
	}
	k.virtual = func(ip netip.Addr) bool { return virtual[ip] }
	k.prepared = false
}

// alike tells whether the wishes are about the very addresses that there are leases
// for: a change of state leaves them as they are.
func (k *keeper) alike(ws []wish) bool {
	i := 0
	for _, w := range ws {
		for _, p := range w.addresses {
			if i == len(k.leases) || k.leases[i].key() != w.key(p) {
				return false
			}
			i++
		}
	}
	return i == len(k.leases) && k.virtual != nil
}

// adopt takes a new wish for the lease.
func (l *lease) adopt(w wish, now time.Time) {
	l.rest = time.Time{}
	if w.intent != l.w.intent || w.lease != l.w.lease {
		l.dueAt, l.wait = now, 0
	}
	if w.announce != l.w.announce {
		l.again = true
	}
	if w.intent != keep || w.doubt != l.w.doubt {
		l.held = false // which for all we know it is not
		l.dueAt = now
	}
	l.w = w
}
