package bfd

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Port is where packets come in: one socket for each.
type Port struct {
	V6       bool
	Multihop bool
}

// Number is the UDP port: 3784 over a single hop (RFC 5881, section 4), 4784
// over several (RFC 5883, section 5).
func (p Port) Number() uint16 {
	if p.Multihop {
		return 4784
	}
	return 3784
}

// Address is the address to listen on: every one of this machine.
func (p Port) Address() netip.AddrPort {
	if p.V6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), p.Number())
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), p.Number())
}

// String returns the address.
func (p Port) String() string { return "udp " + p.Address().String() }

func (p Port) compare(q Port) int { return cmp.Compare(p.String(), q.String()) }

// Datagram is a packet as it came in. Longer ones are cut: what is more than a
// Control packet without authentication says nothing to us.
type Datagram struct {
	Port      Port
	Source    netip.Addr // without a zone
	To        netip.Addr
	Interface string
	TTL       uint8 // or hop limit
	Payload   [64]byte
	Size      int
}

// Network is what packets come and go by. Linux is one.
type Network interface {
	// Listen opens the socket of a port.
	Listen(Port) (Receiver, error)
	// Dial opens a socket to a session's neighbour, with a source port of its own.
	Dial(Session) (Sender, error)
}

// Receiver is a socket that packets come in by. Close ends a Receive.
type Receiver interface {
	Receive(*Datagram) error
	Close() error
}

// Sender is a socket that a session's packets go out by. It does not wait.
type Sender interface {
	Send([]byte) error
	Close() error
}

// listen opens the sockets that the sessions need and closes the others.
func (s *Speaker) listen(ctx context.Context, receivers *sync.WaitGroup) {
	needed := make(map[Port]bool)
	for _, p := range s.byName {
		needed[p.machine.config.port()] = true
	}
	for p := range s.leaving {
		needed[p.machine.config.port()] = true
	}
	for port, l := range s.sockets {
		if !needed[port] {
			l.close()
			delete(s.sockets, port)
		}
	}
	for port := range needed {
		l := s.sockets[port]
		if l == nil {
			l = &listening{}
			s.sockets[port] = l
		}
		if l.socket != nil || time.Now().Before(l.again) {
			continue
		}
		socket, err := s.network.Listen(port)
		if err != nil {
			s.lose(port, l, err)
			continue
		}
		l.socket = socket
		if l.problem != "" {
			l.problem, s.news = "", true
		}
		receivers.Go(func() { s.receive(ctx, port, socket) })
	}
}

// receive hands on what comes in until the socket is closed.
func (s *Speaker) receive(ctx context.Context, port Port, socket Receiver) {
	for {
		d := Datagram{Port: port}
		err := socket.Receive(&d)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case s.broken <- brokenSocket{port, socket, err}:
			case <-ctx.Done():
			}
			return
		}
		select {
		case s.packets <- d:
		case <-ctx.Done():
			return
		}
	}
}

// lose gives up a socket that does not work, for a while.
func (s *Speaker) lose(port Port, l *listening, err error) {
	l.close()
	l.again = time.Now().Add(listenAgain)
	if l.problem != err.Error() {
		l.problem, s.news = err.Error(), true
		s.log.Warn("cannot receive BFD packets; trying again", zap.Stringer("on", port), zap.Error(err))
	}
}

func (l *listening) close() {
	if l.socket != nil {
		l.socket.Close()
		l.socket = nil
	}
}

// listenNext returns when opening a socket is tried again; zero is never.
func (s *Speaker) listenNext() time.Time {
	var next time.Time
	for _, l := range s.sockets {
		if l.socket == nil && (next.IsZero() || l.again.Before(next)) {
			next = l.again
		}
	}
	return next
}

func (s *Speaker) closeSockets() {
	for _, l := range s.sockets {
		l.close()
	}
}
