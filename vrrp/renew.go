package vrrp

import "time"

// renewSize is how many leases are renewed before anything else is looked at.
const renewSize = 32

// holding is how the lease's address is to be on its interface.
func (k *keeper) holding(l *lease) holding {
	h := holding{link: l.w.link, prefix: l.prefix, lease: l.w.lease}
	// Two routes to one subnet, the macvlan's and its parent's, would make it a
	// matter of chance where replies leave. And in IPv6 a lifetime is given to
	// the prefix route as well, also to one that the interface's own address
	// shares: with it the route to the subnet would expire. IPv4 has no such rule.
	if h.link.vmac != nil || h.prefix.Addr().Is6() {
		h.noRoute = h.link.covers(h.prefix, k.virtual)
	}
	return h
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
