package vrrp

import "time"

// renewSize is how many leases are renewed before anything else is looked at.
const renewSize = 32

// holding is how the lease's address is to be on its interface.
func (k *keeper) holding(l *lease) holding {
	return holding{l.w.link, l.prefix, l.w.lease, l.w.link.covers(l.prefix, k.virtual)}
}

// renew renews leases all at once; when that fails one by one, so that each one's
// trouble is known.
func (k *keeper) renew(jobs []job) {
	now := time.Now()
	k.renewals = k.renewals[:0]
	for _, j := range jobs {
		k.renewals = append(k.renewals, k.holding(j.l))
	}
	refused := len(jobs) == 1 || k.kernel.renew(k.renewals) != nil
	for _, j := range jobs {
		if refused {
			k.work(j.l, choreRenew, now)
			continue
		}
		j.l.dueAt, j.l.wait = now.Add(j.l.w.lease/3), 0
		j.l.note(k, nil)
	}
}
