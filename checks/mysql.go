package checks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"net/netip"
)

// MySQL is up when a server of MySQL or MariaDB greets and, if there is a
// user, lets it in without a password, by whichever plugin the account has.
// Without a user the server counts each probe as an aborted login, and after
// max_connect_errors of them in a row shuts us out: give it one.
type MySQL struct {
	Target netip.AddrPort
	Route  Route
	User   string // empty is to be content with the greeting
}

// Kind returns "mysql".
func (MySQL) Kind() string { return "mysql" }

// Key implements Probe.
func (p MySQL) Key() string { return digest(p.Kind(), p) }

// Capabilities, and what else is in the answer to the greeting.
const (
	mysqlProtocol41 = 0x0200
	mysqlSecure     = 0x8000
	mysqlPluginAuth = 0x00080000
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
		t.send(string(mysqlFrame(1, p.login(mysqlPlugin(greeting)))))
		answer := t.mysqlPacket()
		if bytes.IndexByte(answer, 0) > 1 && answer[0] == 0xfe {
			// AuthSwitchRequest: the account has another plugin than the server
			// has by default. To it, too, an empty password is an empty answer.
			t.send(string(mysqlFrame(3, nil)))
			answer = t.mysqlPacket()
		}
		// An answer other than an error asks for a password, or lets us in.
		if !t.ended && len(answer) > 0 && answer[0] == 0xff {
			t.fail("%s", mysqlError(answer))
		} else if !t.ended && (len(answer) == 0 || answer[0] != 0) {
			t.fail("user %s needs a password", p.User)
		}
		const quit = 1
		t.send(string(mysqlFrame(0, []byte{quit})))
	}
}

// login returns the answer to a greeting, with an empty password. Who names no
// plugin can log in by the oldest alone, mysql_native_password, which accounts
// have by default until MySQL 5.7.
func (p MySQL) login(plugin string) []byte {
	capabilities := uint32(mysqlProtocol41 | mysqlSecure)
	if plugin != "" {
		capabilities |= mysqlPluginAuth
	}
	b := binary.LittleEndian.AppendUint32(nil, capabilities)
	b = binary.LittleEndian.AppendUint32(b, mysqlPacketSize)
	b = append(b, mysqlUTF8)
	b = append(b, make([]byte, 23)...)
	b = append(append(b, p.User...), 0)
	b = append(b, 0) // the length of the password
	if plugin != "" {
		b = append(append(b, plugin...), 0)
	}
	return b
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

// mysqlPlugin returns the plugin for logins that a greeting names; nothing if the
// server has no plugins.
func mysqlPlugin(greeting []byte) string {
	const longest = 64 // as names are in MySQL
	// After the version: 4 bytes of a number, 8 of a challenge, a zero, half of the
	// capabilities, 3 bytes, their other half, the length of the whole challenge, 10
	// bytes, the rest of the challenge.
	_, b, _ := bytes.Cut(greeting, []byte{0})
	const low, high, length, rest = 13, 18, 20, 31
	if len(b) < rest || greeting[0] != 10 {
		return ""
	}
	capabilities := uint32(binary.LittleEndian.Uint16(b[low:])) | uint32(binary.LittleEndian.Uint16(b[high:]))<<16
	challenge := max(13, int(b[length])-8)
	name, _, ok := bytes.Cut(b[min(rest+challenge, len(b)):], []byte{0})
	if capabilities&mysqlPluginAuth == 0 || !ok || len(name) > longest {
		return ""
	}
	return string(name)
}

// mysqlError returns the text of an error packet.
func mysqlError(b []byte) string {
	text := b[min(3, len(b)):] // after 0xff and the number
	if len(text) >= 6 && text[0] == '#' {
		text = text[6:] // the state
	}
	return cmp.Or(firstLine(text), "an error without a message")
}
