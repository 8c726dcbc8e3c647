package vrrp

import (
	"net/netip"
	"time"
)

// A stranger may only answer and never speak first: a real server with the
// address on its loopback is the usual one. So the master asks its neighbours who
// has the address, in a way that changes none of their caches.
const (
	// askEvery is how long an address is not asked for again.
	askEvery = time.Minute
	// askAgain is the same where somebody has claimed the address.
	askAgain = 5 * time.Second
	// askSpacing is the least time from one question to the next.
	askSpacing = 250 * time.Millisecond
	// askShare is how far apart the first questions about two addresses are: it
	// leaves room for those that are asked again. A thousand addresses make a
	// round of five minutes.
	askShare = askSpacing * 5 / 4
)

// asker asks the neighbours on a link who has an address. Who has it answers to
// the link's own hardware address, and in IPv6 to from.
type asker interface {
	ask(l link, from, ip netip.Addr) error
}

// suspicion is an address that somebody else has claimed, and when.
type suspicion struct {
	addr netip.Addr
	at   time.Time
}

// askAt is when the neighbours are to be asked about a lease's address: first
// when no former master can have it any more, and then every so long.
func (k *keeper) askAt(l *lease) time.Time {
	if s := l.w.suspect; s.addr == l.prefix.Addr() && !s.at.Before(l.since) {
		again := later(l.asked.Add(askAgain), s.at.Add(strangerGrace))
		if again.Before(s.at.Add(strangerMemory)) {
			return again
		}
	}
	first := l.since.Add(l.w.lease + settling + time.Second + time.Duration(l.turn)*askShare)
	return later(first, l.asked.Add(max(askEvery, time.Duration(len(k.leases))*askShare)))
}

// ask asks the neighbours about a lease's address. An IPv6 link without an
// address of its own has nobody to answer to.
func (k *keeper) ask(l *lease, now time.Time) error {
	l.asked, k.asked = now, now
	ip := l.prefix.Addr()
	from := l.w.link.source(ip.Is6(), k.virtual)
	if ip.Is6() && !from.IsValid() {
		return nil
	}
	return k.asker.ask(l.w.link, from, ip)
}
