package vrrp

import (
	"cmp"
	"slices"
	"time"
)

// defaultLease is the lifetime of addresses whose group does not say.
const defaultLease = 10 * time.Second

// apply brings the groups to what the orders, the interfaces and the ports now
// say. It may be called at any time; without a difference it changes nothing.
func (l *loop) apply(now time.Time) {
	l.tapInto()
	l.tracked, l.trackDue = count(now, l.tracked, l.orders, l.links)
	list := assess(l.orders, l.links, l.tracked, l.refused, l.orphaned)
	places := make([]place, len(list))
	for i, a := range list {
		m := l.member(a)
		m.group, m.link, m.tracks, m.own = a.group, a.link, a.tracks, a.own
		if a.group.VirtualMAC {
			m.link.vmac = virtualMAC(a.group.RouterID, a.group.v6())
		}
		m.tap = l.taps[tapKey{a.link.index, a.group.v6()}]
		places[i] = place{member: m, team: a.team, params: a.params, fault: a.fault,
			delay: l.started.Add(a.group.StartDelay).Sub(now)}
	}
	l.core.assign(now, places)
	l.untap()
	l.overhear()
	l.wishing = true
	if !l.survey.began.IsZero() {
		l.survey = survey{} // of others, perhaps
		l.tellSoon(now)
	}
}

// member returns the member that an assessment is about: the present one, or a
// new one if its virtual router is another than before.
func (l *loop) member(a assessment) *member {
	i := slices.IndexFunc(l.core.members, func(m *member) bool {
		return m.name == a.group.Name && m.group.identity() == a.group.identity()
	})
	if i >= 0 {
		return l.core.members[i]
	}
	return newMember(a.group)
}

// wish is what the keeper is to do for a member.
func (m *member) wish() wish {
	return wish{
		member: m, link: m.link, addresses: m.group.held(),
		lease: cmp.Or(m.group.Lease, defaultLease), owned: m.group.Priority == owner, own: m.own,
		intent: m.intent, dropAt: m.dropAt, announce: m.announce, doubt: m.doubt, how: m.group.Announce, suspect: m.asked,
	}
}

// headway is for how long the keeper goes first: the fitter is told when it has
// reported, or after that. What is to be closed does not wait for what is opened.
const headway = time.Millisecond

// wish tells the keeper anew what is wanted, if that may have changed, and whether
// it has.
func (l *loop) wish(now time.Time) bool {
	if !l.wishing {
		return false
	}
	l.wishing = false
	var ws []wish
	if !l.bare() {
		l.fitAt = now.Add(headway)
	}
	for _, list := range [2][]*member{l.core.members, l.core.departing} {
		for _, m := range list {
			if m.link.index != 0 {
				ws = append(ws, m.wish())
			}
			if m.intent == keep && m.group.Closed {
				l.fitAt = now
			}
		}
	}
	replace(l.keeper.wishes, ws)
	return true
}
