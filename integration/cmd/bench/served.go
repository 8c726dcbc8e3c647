package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// served is a server that notes which of its addresses were connected to, and when.
type served struct {
	http     bool // answers each connection
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex
	came map[netip.Addr][]time.Time
}

func newServed(http bool) *served { return &served{http: http, came: make(map[netip.Addr][]time.Time)} }

func (s *served) serve(l net.Listener) {
	s.listener = l
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			s.note(conn, time.Now())
			s.running.Go(func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 1024)); err == nil && s.http { // else it is its end
					_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				}
			})
		}
	})
}

func (s *served) note(conn net.Conn, at time.Time) {
	address, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	ip := address.AddrPort().Addr().Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came[ip] = append(s.came[ip], at)
}

// all tells whether so many addresses have been connected to.
func (s *served) all(servers int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.came) < servers {
		return fmt.Errorf("%d of %d servers were checked", len(s.came), servers)
	}
	return nil
}

// reset forgets all connections.
func (s *served) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.came)
}

// count returns how many connections there were.
func (s *served) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, at := range s.came {
		n += len(at)
	}
	return n
}

// off returns by how much the times between two connections to an address
// differed from the interval, sorted.
func (s *served) off(interval time.Duration) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	off := []time.Duration{0}
	for _, at := range s.came {
		for i := 1; i < len(at); i++ {
			off = append(off, (at[i].Sub(at[i-1]) - interval).Abs())
		}
	}
	slices.Sort(off)
	return off
}

func (s *served) stop() {
	s.listener.Close()
	s.running.Wait()
}
