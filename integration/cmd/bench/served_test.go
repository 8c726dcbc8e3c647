package main

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestOff measures the spacing of two servers' checks.
func TestOff(t *testing.T) {
	s := newServed(false)
	at := time.Unix(1e9, 0)
	for _, ms := range []int{0, 1010, 1970} {
		s.came[netip.MustParseAddr("10.0.0.1")] = append(s.came[netip.MustParseAddr("10.0.0.1")], at.Add(time.Duration(ms)*time.Millisecond))
	}
	s.came[netip.MustParseAddr("10.0.0.2")] = []time.Time{at}
	if off, want := s.off(time.Second), []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond}; !slices.Equal(off, want) {
		t.Errorf("off by %v, want %v", off, want)
	}
	if n := s.count(); n != 4 {
		t.Errorf("%d connections, want 4", n)
	}
	if s.all(2) != nil || s.all(3) == nil {
		t.Errorf("2 of 2 servers: %v, 2 of 3: %v", s.all(2), s.all(3))
	}
	if s.reset(); s.count() != 0 {
		t.Error("there are connections after a reset")
	}
}

// TestServed notes the address of a connection and answers.
func TestServed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServed(true)
	s.serve(l)
	defer s.stop()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 15)
	if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if at := s.came[netip.MustParseAddr("127.0.0.1")]; len(at) != 1 {
		t.Errorf("%d connections noted", len(at))
	}
}
