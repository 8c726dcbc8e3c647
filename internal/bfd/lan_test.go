package bfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"
)

// lan is an in-memory network of hosts, whose cables can be cut.
type lan struct {
	mu    sync.Mutex
	hosts map[netip.Addr]*host
	lost  func(from, to netip.Addr) bool
	ttl   uint8 // that packets come in with
	sent  []sent
}

// sent is a packet on its way.
type sent struct {
	at   time.Time
	from netip.Addr
	packet
}

func newLAN() *lan {
	return &lan{hosts: make(map[netip.Addr]*host), ttl: 255, lost: func(_, _ netip.Addr) bool { return false }}
}

// lose has packets lost from now on.
func (l *lan) lose(lost func(from, to netip.Addr) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = lost
}

// count counts what one host has sent since.
func (l *lan) count(from netip.Addr, since time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		if s.from == from && !s.at.Before(since) {
			n++
		}
	}
	return n
}

// host is one machine, with a Speaker while it runs.
type host struct {
	t       *testing.T
	lan     *lan
	addr    netip.Addr
	mu      sync.Mutex
	inboxes map[Port]chan Datagram
	refuses error // of Listen
	speaker *Speaker
	cancel  context.CancelCauseFunc
	ended   sync.WaitGroup
	last    Report
	story   []string
}

func (l *lan) add(t *testing.T, addr string) *host {
	h := &host{t: t, lan: l, addr: netip.MustParseAddr(addr), inboxes: make(map[Port]chan Datagram)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[h.addr] = h
	return h
}

// to is a session from the host to another.
func (h *host) to(other *host) Session {
	s := quick
	s.Peer, s.Source = other.addr, h.addr
	return s
}

// start runs a Speaker with one session for each name.
func (h *host) start(sessions map[string]Session) {
	h.speaker = NewSpeaker(zaptest.NewLogger(h.t), h)
	h.speaker.Set(sessions)
	ctx, cancel := context.WithCancelCause(context.Background())
	h.cancel = cancel
	ran := make(chan struct{})
	h.ended.Go(func() {
		defer close(ran)
		if err := h.speaker.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	h.ended.Go(func() {
		states := make(map[string]string)
		for {
			select {
			case r := <-h.speaker.Reports():
				h.mu.Lock()
				h.last = r
				for _, s := range r.Sessions {
					is := s.State.String()
					if s.Reason != "" {
						is += ": " + s.Reason
					}
					if !s.Known {
						delete(states, s.Name)
					} else if states[s.Name] != is {
						states[s.Name] = is
						h.story = append(h.story, is)
					}
				}
				h.mu.Unlock()
			case <-ran:
				return
			}
		}
	})
}

// stop ends the Speaker.
func (h *host) stop(cause error) {
	h.cancel(cause)
	h.ended.Wait()
}

// session returns the only session's status.
func (h *host) session() Status {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.last.Sessions) != 1 {
		h.t.Fatalf("%v: %d sessions", h.addr, len(h.last.Sessions))
	}
	return h.last.Sessions[0]
}

func (h *host) report() Report {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// told returns the changes since it was asked last.
func (h *host) told() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	story := strings.Join(h.story, "\n")
	h.story = nil
	return story
}

func (h *host) want(story string) {
	h.t.Helper()
	if got := h.told(); got != story {
		h.t.Errorf("%v told:\n%s\nwant:\n%s", h.addr, got, story)
	}
}

// Listen implements Network.
func (h *host) Listen(p Port) (Receiver, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.refuses != nil:
		return nil, h.refuses
	case h.inboxes[p] != nil:
		return nil, errors.New("address already in use")
	}
	in := &inbox{host: h, port: p, packets: make(chan Datagram, 100), closed: make(chan struct{})}
	h.inboxes[p] = in.packets
	return in, nil
}

// Dial implements Network.
func (h *host) Dial(s Session) (Sender, error) {
	if s.Source != h.addr {
		return nil, fmt.Errorf("bind to %v: cannot assign requested address", s.Source)
	}
	return outbox{h, s}, nil
}

type inbox struct {
	host    *host
	port    Port
	packets chan Datagram
	closed  chan struct{}
}

func (i *inbox) Receive(d *Datagram) error {
	select {
	case *d = <-i.packets:
		return nil
	case <-i.closed:
		return net.ErrClosed
	}
}

func (i *inbox) Close() error {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	delete(i.host.inboxes, i.port)
	close(i.closed)
	return nil
}

type outbox struct {
	host    *host
	session Session
}

func (o outbox) Send(b []byte) error {
	l := o.host.lan
	l.mu.Lock()
	p, why := parse(b)
	if why != kept {
		o.host.t.Errorf("%v sent a packet that is dropped for %v: %x", o.host.addr, why, b)
	}
	l.sent = append(l.sent, sent{time.Now(), o.host.addr, p})
	to, lost, ttl := l.hosts[o.session.Peer], l.lost(o.host.addr, o.session.Peer), l.ttl
	l.mu.Unlock()
	if to == nil || lost {
		return nil
	}
	d := Datagram{Port: o.session.port(), Source: o.host.addr, To: to.addr, Interface: "eth0", TTL: ttl, Size: len(b)}
	copy(d.Payload[:], b)
	to.mu.Lock()
	defer to.mu.Unlock()
	if in := to.inboxes[d.Port]; in != nil {
		select {
		case in <- d:
		default:
		}
	}
	return nil
}

func (o outbox) Close() error { return nil }

// polls tells whether any packet of a host since then was a poll.
func (l *lan) polls(from netip.Addr, since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.sent, func(s sent) bool { return s.from == from && !s.at.Before(since) && s.poll })
}
