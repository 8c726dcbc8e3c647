package vrrp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"
)

// claimPause is what an ear rests after each claim: a flood of them costs no
// more than ten a second.
const claimPause = 100 * time.Millisecond

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

// overhear listens for who claims the groups' addresses. What cannot be opened
// is told once, and left out until the addresses change.
func (l *loop) overhear() {
	wanted := make(map[tapKey][]netip.Addr)
	on := make(map[tapKey]link)
	for _, m := range l.core.members {
		if m.link.index == 0 {
			continue
		}
		for _, p := range m.group.held() {
			key := tapKey{m.link.index, p.Addr().Is6()}
			wanted[key], on[key] = append(wanted[key], p.Addr()), m.link
		}
	}
	for key, e := range l.ears {
		if slices.Equal(e.addrs, wanted[key]) {
			delete(wanted, key)
			continue
		}
		l.closeEar(e)
		delete(l.ears, key)
	}
	for key, addrs := range wanted {
		e := &listener{addrs: addrs, done: make(chan struct{})}
		l.ears[key] = e
		var err error
		if e.ear, err = l.host.network.overhear(on[key], key.v6, addrs); err != nil {
			l.log.Warn("cannot listen for others that claim the addresses", zap.String("interface", on[key].name), zap.Error(err))
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
		l.log.Warn("cannot close the socket that hears claims", zap.Error(err))
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
				l.desk.nudge()
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
