package vrrp

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Stranger is somebody who says by ARP that an address of a group is his, while
// this router is MASTER and its peers are silent: a machine that was given the
// address by mistake, or a router that does not hear us.
type Stranger struct {
	Now   bool // said within the last minute, and not only for a moment
	Since time.Time
	Last  time.Time // zero: never
	Addr  netip.Addr
	MAC   string
}

const (
	// strangerGrace is how long a stranger must go unopposed to be one: who
	// has just become master announces itself before it is heard.
	strangerGrace = time.Second
	// strangerMemory is how long one is remembered who says nothing more.
	strangerMemory = time.Minute
	// claimPause is what an ear rests after each claim: a flood of them costs
	// no more than ten a second.
	claimPause = 100 * time.Millisecond
)

// claim is what was heard: that an address is at a hardware address.
type claim struct {
	index int // of the interface
	addr  netip.Addr
	mac   net.HardwareAddr
}

// ear hears who claims addresses on an interface.
type ear interface {
	// next waits for the next claim of somebody else. After close it fails.
	next() (claim, error)
	close() error
}

// listener is an ear in use.
type listener struct {
	ear   ear // nil: it could not be opened
	addrs []netip.Addr
	done  chan struct{} // closed when nobody wants it any more
}

// overhear listens for who claims the groups' IPv4 addresses. What cannot be
// opened is told once, and left out until the addresses change.
func (l *loop) overhear() {
	wanted := make(map[int][]netip.Addr)
	on := make(map[int]link)
	for _, m := range l.core.members {
		index := m.link.index
		if index == 0 {
			continue
		}
		addrs := wanted[index]
		for _, p := range m.group.held() {
			if p.Addr().Is4() {
				addrs = append(addrs, p.Addr())
			}
		}
		if len(addrs) > 0 {
			wanted[index], on[index] = addrs, m.link
		}
	}
	for index, e := range l.ears {
		if slices.Equal(e.addrs, wanted[index]) {
			delete(wanted, index)
			continue
		}
		l.closeEar(e)
		delete(l.ears, index)
	}
	for _, index := range slices.Sorted(maps.Keys(wanted)) {
		e := &listener{addrs: wanted[index], done: make(chan struct{})}
		l.ears[index] = e
		var err error
		if e.ear, err = l.host.network.overhear(on[index], e.addrs); err != nil {
			l.log.Warn("cannot listen for others that claim the addresses", zap.String("interface", on[index].name), zap.Error(err))
			continue
		}
		l.group.Go(func() error { l.hear(e); return nil })
	}
}

// closeEar closes an ear; its receiver ends by that.
func (l *loop) closeEar(e *listener) {
	close(e.done)
	if e.ear == nil {
		return
	}
	if err := e.ear.close(); err != nil {
		l.log.Warn("cannot close ARP socket", zap.Error(err))
	}
}

// hear is the receiver of one ear.
func (l *loop) hear(e *listener) {
	pause := time.NewTimer(time.Hour)
	defer pause.Stop()
	for {
		c, err := e.ear.next()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			select {
			case l.claims <- c:
			case <-e.done:
				return
			}
		}
		// An error is an interface that has gone down, and may come up again.
		pause.Reset(claimPause)
		select {
		case <-pause.C:
		case <-e.done:
			return
		}
	}
}

// suspect notes a claim to an address of which this router is master. It is not
// told at once: who preempts may be heard by ARP before its advertisement.
func (l *loop) suspect(now time.Time, c claim) {
	for _, m := range l.core.members {
		switch {
		case m.link.index != c.index || !m.established(now) || bytes.Equal(c.mac, m.link.mac) || bytes.Equal(c.mac, m.link.vmac):
			continue
		case !slices.ContainsFunc(m.group.held(), func(p netip.Prefix) bool { return p.Addr() == c.addr }):
			continue
		}
		s := &m.stranger
		if s.Last.Before(m.since) || now.Sub(s.Last) > strangerMemory {
			s.Since = now
		}
		s.Last, s.Addr, s.MAC = now, c.addr, c.mac.String()
	}
}

// strangerNow tells whether somebody else claims an address and stays unopposed.
func (m *member) strangerNow(now time.Time) bool {
	s := m.stranger
	return m.serving() && !s.Last.Before(m.since) && !s.Last.IsZero() &&
		now.Sub(s.Last) <= strangerMemory && now.Sub(s.Since) >= strangerGrace
}
