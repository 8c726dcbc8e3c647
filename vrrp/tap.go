package vrrp

import (
	"errors"
	"net"

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
		p, err := l.host.network.open(k, g.v6())
		if err != nil {
			if l.refused == nil {
				l.refused = make(map[tapKey]string)
			}
			l.refused[key] = "open VRRP socket on " + k.name + ": " + err.Error()
			continue
		}
		t := &tap{port: p, key: key}
		l.taps[key] = t
		l.group.Go(func() error { l.listen(t); return nil })
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

// closeTap closes a port; its receiver ends by that.
func (l *loop) closeTap(key tapKey, t *tap) {
	delete(l.taps, key)
	t.members = nil
	if err := t.port.close(); err != nil {
		l.log.Warn("cannot close VRRP socket", zap.Error(err))
	}
}

// listen is the receiver of one port. It does nothing but read, so that the
// loop decides everything.
func (l *loop) listen(t *tap) {
	for {
		f := l.frames.Get().(*frame)
		f.from = t
		if err := t.port.receive(f); err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.log.Warn("VRRP socket failed, opening it again", zap.Error(err))
				select {
				case l.dead <- t:
				case <-l.ctx.Done():
				}
			}
			return
		}
		select {
		case l.inbox <- f:
		case <-l.ctx.Done():
			return
		}
	}
}

// bury replaces a port whose receiver has ended by itself.
func (l *loop) bury(t *tap) {
	if l.taps[t.key] != t {
		return
	}
	l.closeTap(t.key, t)
	if l.refused == nil {
		l.refused = make(map[tapKey]string)
	}
	l.refused[t.key] = "socket failed" // opened again at the next tick, not in a tight circle
}
