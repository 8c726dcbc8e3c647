package checks

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// UDP sends a datagram. It is up when the answer is as expected, or, when
// nothing is expected, if for three quarters of the time limit no ICMP message
// says that nobody is there.
type UDP struct {
	Target netip.AddrPort
	Route  Route
	Send   string
	Expect Expect
}

// Kind returns "udp".
func (UDP) Kind() string { return "udp" }

// Key implements Probe.
func (p UDP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p UDP) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p UDP) compile() runner {
	want, err := p.Expect.compile()
	if err != nil {
		return broken(err)
	}
	return func(ctx context.Context) Observation {
		t := startDatagrams(ctx, p.Target, p.Route, "udp")
		// An empty datagram is one too, unlike an empty write to a stream.
		if !t.ended {
			if _, err := t.stream.Write([]byte(p.Send)); err != nil {
				t.broken(err)
			}
		}
		switch {
		case t.ended:
		case want.anything():
			t.silence()
		default:
			t.datagram(func([]byte) bool { return true })
			if !t.ended && !want.met(t.came) {
				t.fail("wanted %v, got %s", want, shorten(t.came))
			}
			if !t.ended {
				t.seen.Status = firstLine(t.came)
			}
		}
		return t.verdict()
	}
}

// silence waits for a sign that nobody is there.
func (t *talk) silence() {
	wait := t.limit * 3 / 4
	err := t.c.SetReadDeadline(t.begin.Add(wait))
	if err == nil {
		err = t.read()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && wait > 0 && time.Since(t.begin) >= wait {
		// However late we are, the kernel knows whether there was a sign.
		if err = t.c.glance(); err == unix.EAGAIN {
			return
		}
	}
	if err != nil {
		t.broken(err)
	}
}
