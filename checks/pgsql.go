package checks

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
)

// PostgreSQL is up when a server lets a user begin to log in: one that starts,
// stops or has no connection left refuses that.
type PostgreSQL struct {
	Target   netip.AddrPort
	Route    Route
	User     string // empty is "director"
	Database string // empty is that of the user's name
}

// Kind returns "pgsql".
func (PostgreSQL) Kind() string { return "pgsql" }

// Key implements Probe.
func (p PostgreSQL) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p PostgreSQL) Run(ctx context.Context) Observation {
	t := startTalk(ctx, p.Target, p.Route, nil, "pgsql")
	p.converse(t)
	return t.verdict()
}

func (p PostgreSQL) converse(t *talk) {
	t.send(string(p.startup()))
	head := t.take(5)
	size := int(binary.BigEndian.Uint32(head[1:])) - 4
	switch {
	case t.ended:
	case size < 0 || size > maxAnswer || head[0] == 'R' && size < 4:
		t.fail("the server does not speak PostgreSQL")
	case head[0] == 'R': // it asks for a password, or lets us in
		// Who is in takes leave. In the midst of a login that would be logged as a
		// failure; an end of the connection is not.
		if code := t.take(size); !t.ended && binary.BigEndian.Uint32(code) == 0 {
			t.send("X\x00\x00\x00\x04")
		}
	case head[0] == 'E':
		if body := t.take(size); !t.ended {
			t.fail("%s", pgsqlError(body))
		}
	default:
		t.fail("the server does not speak PostgreSQL")
	}
}

// startup returns the message that begins a session of protocol 3.0.
func (p PostgreSQL) startup() []byte {
	user := p.User
	if user == "" {
		user = "director"
	}
	b := []byte{0, 0, 0, 0, 0, 3, 0, 0}
	add := func(words ...string) {
		for _, w := range words {
			b = append(append(b, w...), 0)
		}
	}
	add("user", user)
	if p.Database != "" {
		add("database", p.Database)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// pgsqlError returns the message of an ErrorResponse: fields of a letter and a
// text each.
func pgsqlError(b []byte) string {
	for field := range bytes.SplitSeq(b, []byte{0}) {
		if len(field) > 1 && field[0] == 'M' {
			return firstLine(field[1:])
		}
	}
	return "an error without a message"
}
