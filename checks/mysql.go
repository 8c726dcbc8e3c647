package checks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"net/netip"
)

// MySQL is up when a server of MySQL or MariaDB greets and, if there is a
// user, lets it in without a password. Without a user the server counts each
// probe as an aborted login, and after max_connect_errors of them in a row
// shuts us out: give it one.
type MySQL struct {
	Target netip.AddrPort
	Route  Route
	User   string // empty is to be content with the greeting
}

// Kind returns "mysql".
func (MySQL) Kind() string { return "mysql" }

// Key implements Probe.
func (p MySQL) Key() string { return digest(p.Kind(), p) }

// Capabilities of the client, in its answer to the greeting.
const (
	mysqlProtocol41 = 0x0200
	mysqlSecure     = 0x8000
	mysqlPacketSize = 1 << 24
	mysqlUTF8       = 33
)

// Run implements Probe.
func (p MySQL) Run(ctx context.Context) Observation {
	t := startTalk(ctx, p.Target, p.Route, nil, "mysql")
	p.converse(t)
	return t.verdict()
}

func (p MySQL) converse(t *talk) {
	greeting := t.mysqlPacket()
	if !t.ended {
		if version, problem := parseMySQLGreeting(greeting); problem != "" {
			t.fail("%s", problem)
		} else {
			t.seen.Status = version
		}
	}
	if p.User != "" && !t.ended {
		var login []byte
		login = binary.LittleEndian.AppendUint32(login, mysqlProtocol41|mysqlSecure)
		login = binary.LittleEndian.AppendUint32(login, mysqlPacketSize)
		login = append(login, mysqlUTF8)
		login = append(login, make([]byte, 23)...)
		login = append(append(login, p.User...), 0)
		login = append(login, 0) // an empty password
		t.send(string(mysqlFrame(1, login)))
		// An answer other than an error asks for a password, or lets us in.
		if answer := t.mysqlPacket(); !t.ended && len(answer) > 0 && answer[0] == 0xff {
			t.fail("%s", mysqlError(answer))
		} else if !t.ended && (len(answer) == 0 || answer[0] != 0) {
			t.fail("user %s needs a password", p.User)
		}
		const quit = 1
		t.send(string(mysqlFrame(0, []byte{quit})))
	}
}

func mysqlFrame(seq byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, payload...)
}

func (t *talk) mysqlPacket() []byte {
	head := t.take(4)
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if !t.ended && n > maxAnswer {
		t.fail("a packet of %d bytes", n)
	}
	if t.ended {
		return nil
	}
	return t.take(n)
}

// parseMySQLGreeting returns the server's version, or what is wrong with it.
func parseMySQLGreeting(b []byte) (version, problem string) {
	switch {
	case len(b) == 0:
		return "", "empty greeting"
	case b[0] == 0xff:
		return "", mysqlError(b)
	case b[0] != 10 && b[0] != 9:
		return "", "the server does not speak MySQL"
	}
	text, _, ok := bytes.Cut(b[1:], []byte{0})
	if !ok {
		return "", "malformed greeting"
	}
	return firstLine(text), ""
}

// mysqlError returns the text of an error packet.
func mysqlError(b []byte) string {
	text := b[min(3, len(b)):] // after 0xff and the number
	if len(text) >= 6 && text[0] == '#' {
		text = text[6:] // the state
	}
	return cmp.Or(firstLine(text), "an error without a message")
}
