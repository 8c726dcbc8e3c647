package vrrp

import (
	"time"

	"go.uber.org/zap"
)

// tap is a port in use: the groups of one interface and family share it.
type tap struct {
	port    port
	key     tapKey
	members map[uint8][]*member // by router id; two while one is leaving
}

// tapKey is what makes groups share a port.
type tapKey struct {
	index int // of the interface
	v6    bool
}

// tapInto opens the ports that the groups need and are not open yet, and
// remembers those that cannot be opened.
func (l *loop) tapInto() {
	l.refused = nil
	for _, g := range l.orders.Config.Groups {
		k, f := g.place(l.links)
		if f.reason != "" || g.check() != nil {
			continue
		}
		key := tapKey{k.index, g.v6()}
		if l.taps[key] != nil || l.refused[key] != "" {
			continue
		}
		p, err := l.desk.open(k, g.v6())
		if err != nil {
			if l.refused == nil {
				l.refused = make(map[tapKey]string)
			}
			l.refused[key] = "open VRRP socket on " + k.name + ": " + err.Error()
			continue
		}
		l.taps[key] = &tap{port: p, key: key}
	}
}

// untap closes the ports that nobody uses and tells the others their members.
func (l *loop) untap() {
	for _, t := range l.taps {
		t.members = make(map[uint8][]*member)
	}
	for _, list := range [2][]*member{l.core.members, l.core.departing} {
		for _, m := range list {
			if m.tap != nil && m.tap.members != nil {
				m.tap.members[m.group.RouterID] = append(m.tap.members[m.group.RouterID], m)
			}
		}
	}
	for key, t := range l.taps {
		if len(t.members) == 0 {
			l.closeTap(key, t)
		}
	}
}

// closeTap closes a port.
func (l *loop) closeTap(key tapKey, t *tap) {
	delete(l.taps, key)
	t.members = nil
	if err := t.port.close(); err != nil {
		l.log.Warn("cannot close VRRP socket", zap.Error(err))
	}
}

// listen takes what has come to the ports, of each so much that the others and
// the clock have their turn.
func (l *loop) listen() {
	for _, t := range l.taps {
		for range atOnce {
			came, err := t.port.receive(&l.frame)
			if err != nil {
				l.log.Warn("VRRP socket failed, opening it again", zap.Error(err))
				l.bury(t)
				break
			}
			if !came {
				break
			}
			now := time.Now()
			l.receive(now, t, &l.frame)
			l.carryOut(now)
		}
	}
}

// bury closes a port that has failed. It is opened again at the next tick, not in
// a tight circle.
func (l *loop) bury(t *tap) {
	l.closeTap(t.key, t)
	if l.refused == nil {
		l.refused = make(map[tapKey]string)
	}
	l.refused[t.key] = "socket failed"
}
