package checks

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// overhear holds a conversation with a server that says b and closes.
func overhear(b io.Reader, converse func(*talk)) Observation {
	t := &talk{attempt: attempt{begin: time.Now(), limit: time.Second}, verb: "probe"}
	t.stream = struct {
		io.Reader
		io.Writer
	}{b, io.Discard}
	converse(t)
	seen := t.verdict()
	seen.Latency = 0
	return seen
}

// wantSense wants an observation that says whether it is good, and if not why,
// in a line that garbles no terminal.
func wantSense(t *testing.T, seen Observation) {
	t.Helper()
	if seen.OK == (seen.Reason != "") {
		t.Errorf("saw %+v", seen)
	}
	for _, s := range []string{seen.Reason, seen.Status} {
		if !readable(s) {
			t.Errorf("an operator cannot read %q", s)
		}
	}
}

func readable(s string) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(s) && len(s) < 2000 && !strings.ContainsFunc(s, hidden)
}

// fuzzConversation lets a server say anything, and wants the same verdict
// whether it comes at once or in single bytes. A good verdict wants one of the
// texts in it.
func fuzzConversation(f *testing.F, converse func(*talk), good []string, seeds ...string) {
	for _, s := range append(seeds, "", "\x00\xff\x1b[2J\n", strings.Repeat("x", 10<<10)+"\n") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := overhear(bytes.NewReader(b), converse)
		wantSense(t, whole)
		if whole.OK && !containsAny(strings.ToLower(string(b)), strings.ToLower(strings.Join(good, "|"))) {
			t.Errorf("%q is taken for a good answer", b)
		}
		pieces := overhear(iotest.OneByteReader(bytes.NewReader(b)), converse)
		if whole.Weight != nil && pieces.Weight != nil && *whole.Weight == *pieces.Weight {
			pieces.Weight = whole.Weight
		}
		if whole != pieces {
			t.Errorf("at once it is %+v, in pieces %+v", whole, pieces)
		}
	})
}

func FuzzPostgreSQL(f *testing.F) {
	fuzzConversation(f, PostgreSQL{}.converse, []string{"R"},
		"R\x00\x00\x00\x08\x00\x00\x00\x03", "R\x00\x00\x00\x08\x00\x00\x00\x00", "R\x00\x00\x00\x07\x00\x00\x00", "E\x00\x00\x00\x31SFATAL\x00C57P03\x00Mthe database is starting up\x00\x00\x00\x00", "E\xff\xff\xff\xff", "R\x00\x00\x00\x00")
}

func FuzzRedis(f *testing.F) {
	fuzzConversation(f, Redis{User: "u", Password: "p"}.converse, []string{"+OK\n+PONG\n", "+OK\r\n+PONG\n", "+OK\n+PONG\r\n", "+OK\r\n+PONG\r\n", "\r\n+PONG"},
		"+OK\r\n+PONG\r\n", "-NOAUTH \x1b[31m\r\n", "+OK\n-LOADING\n", "-\n")
}

func FuzzMySQLLogin(f *testing.F) {
	fuzzConversation(f, MySQL{User: "u"}.converse, []string{"\x0a", "\x09"},
		framed(0, mysqlHello)+framed(2, "\x00\x00\x00\x02\x00\x00\x00"), framed(0, mysqlHello)+framed(2, "\xff\x15\x04#28000Access denied"),
		framed(0, mysqlGreeting("x\x00"))+framed(2, "\xfecaching_sha2_password\x00")+framed(4, "\x00\x00\x00\x02\x00\x00\x00"),
		framed(0, "\xff\x10\x04Too many"), "\xff\xff\xff\x00")
}

func FuzzLDAPBind(f *testing.F) {
	fuzzConversation(f, LDAP{}.converse, []string{"\x0a\x01\x00"},
		"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", "\x30\x84\x7f\xff\xff\xff", "\x30\x14\x02\x01\x01\x61\x0f\x0a\x01\x31\x04\x00\x04\x08bad luck")
}

func FuzzAgent(f *testing.F) {
	fuzzConversation(f, Agent{Weight: 10}.converse, []string{"up", "ready", "drain", "%", "maxconn:"},
		"up 75%\n", "DRAIN 75%\n", "down #why\n", "maint", "50%\r\nand more", " \n")
}

func fuzzText(f *testing.F, protocol, good string, seeds ...string) {
	fuzzConversation(f, func(t *talk) { textProtocols()[protocol].converse(t, "me", nil) }, strings.Split(good, "|"), seeds...)
}

func FuzzSMTP(f *testing.F) {
	fuzzText(f, "smtp", "250", "220-mx\r\n220 mx\r\n250-mx\r\n250 HELP\r\n", "554 no\r\n", "220 mx\n421 \x1b[0m\n")
}
func FuzzFTP(f *testing.F) {
	fuzzText(f, "ftp", "220", "220-Welcome\r\n  to this\r\n220 server\r\n", "421 full\r\n", "220-\n220")
}
func FuzzIMAP(f *testing.F) {
	fuzzText(f, "imap", "* OK|* PREAUTH", "* OK ready\r\n", "* BYE\r\n", "* PREAUTH\n")
}
func FuzzPOP(f *testing.F)  { fuzzText(f, "pop", "+OK", "+OK ready\r\n", "-ERR\n") }
func FuzzNNTP(f *testing.F) { fuzzText(f, "nntp", "200|201", "201 no posting\r\n", "400 \xff\r\n") }

// The end of the line that was expected may come after the next step has begun.
func TestExpectRestOfLine(t *testing.T) {
	hello, err := Expect{Contains: "hello"}.compile()
	if err != nil {
		t.Fatal(err)
	}
	pong, err := Expect{Matches: "^po+ng$"}.compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, pieces := range [][]string{{"hello\n", "pooong\n"}, {"hello", "\n", "pooong\n"}, {"hello", "\npooong\n"}, {"hello", " there\n", "poo", "ong\n"}} {
		var all []io.Reader
		for _, p := range pieces {
			all = append(all, strings.NewReader(p))
		}
		seen := overhear(io.MultiReader(all...), func(t *talk) { t.expect(hello); t.expect(pong) })
		if !seen.OK {
			t.Errorf("%q: saw %+v", pieces, seen)
		}
	}
}

// FuzzExpect wants the verdict on a step not to depend on the pieces in which
// its answer comes.
func FuzzExpect(f *testing.F) {
	f.Add([]byte("hello\n"), "hello", "")
	f.Add([]byte("hello\r\npooong\n"), "", "^po+ng$")
	f.Add([]byte("no\x00"), "yes", "(")
	f.Fuzz(func(t *testing.T, b []byte, contains, matches string) {
		// In pieces it matters where they end for what looks at the end.
		w, err := Expect{Contains: contains, Matches: matches}.compile()
		if err != nil || strings.ContainsAny(matches, `$\`) || !readable(matches) || len(contains) > 500 {
			return
		}
		whole := overhear(bytes.NewReader(b), func(t *talk) { t.expect(w) })
		pieces := overhear(iotest.OneByteReader(bytes.NewReader(b)), func(t *talk) { t.expect(w) })
		wantSense(t, whole)
		if whole.OK != pieces.OK {
			t.Errorf("at once it is %+v, in pieces %+v", whole, pieces)
		}
	})
}

// FuzzJSON wants any document to be good or bad for a reason, and what is found
// in a document to be found again.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"db":[{"state":"up"},{"state":2}]}`), "db.1.state", "2")
	f.Add([]byte(`{"":{"a":null}}`), ".a", "null")
	f.Add([]byte(`[[1e400]]`), "0.-1", "")
	f.Add([]byte(`{"a":"\u001b[2J"}`), "a", "up")
	f.Fuzz(func(t *testing.T, document []byte, path, value string) {
		if !readable(path) || !readable(value) {
			return // that is the operator's own
		}
		problem := JSON{Path: path, Values: []string{value}}.problem(document)
		wantSense(t, Observation{OK: problem == "", Reason: problem})
		there := JSON{Path: path}.problem(document)
		wantSense(t, Observation{OK: there == "", Reason: there})
		if problem == "" && there != "" && value != "" && value != "false" && value != "null" {
			t.Errorf("%s is %q in %q, but %s", path, value, document, there)
		}
	})
}

// canned is a connection on which the server says what it says and closes: its
// first frame at once, the rest once the request is on its way.
type canned struct {
	net.Conn // whose other methods are not called
	first    *bytes.Reader
	rest     *bytes.Reader
	asked    chan struct{}
	once     sync.Once
}

func newCanned(b []byte) *canned {
	cut := len(b)
	if len(b) >= 9 && b[3] == byte(http2.FrameSettings) { // else no request is made
		cut = min(9+int(b[0])<<16+int(b[1])<<8+int(b[2]), cut)
	}
	c := &canned{first: bytes.NewReader(b[:cut]), rest: bytes.NewReader(b[cut:]), asked: make(chan struct{})}
	if cut == len(b) {
		c.Close() // nothing more comes
	}
	return c
}

func (c *canned) Read(b []byte) (int, error) {
	if c.first.Len() > 0 {
		return c.first.Read(b)
	}
	<-c.asked
	return c.rest.Read(b)
}

func (c *canned) Write(b []byte) (int, error) {
	if len(b) > 9 && bytes.Contains(b, []byte("\x00\x00\x00\x01")) && !bytes.Contains(b, []byte("PRI *")) { // a frame of stream 1
		c.once.Do(func() { close(c.asked) })
	}
	return len(b), nil
}

func (c *canned) Close() error                   { c.once.Do(func() { close(c.asked) }); return nil }
func (*canned) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*canned) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*canned) SetDeadline(time.Time) error      { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzGRPCAnswer lets a server answer with any bytes.
func FuzzGRPCAnswer(f *testing.F) {
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	_ = w.WriteSettings()
	_ = w.WriteSettingsAck()
	f.Add(bytes.Clone(b.Bytes()))
	_ = w.WriteHeaders(headersFrame(false, ":status", "200", "content-type", "application/grpc"))
	_ = w.WriteData(1, false, []byte("\x00\x00\x00\x00\x02\x08\x01"))
	_ = w.WriteHeaders(headersFrame(true, "grpc-status", "0"))
	good := bytes.Clone(b.Bytes())
	f.Add(good)
	_ = w.WriteGoAway(0, 11, []byte("\x1b[2J"))
	f.Add(bytes.Clone(b.Bytes()))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	p := GRPC{Target: netip.MustParseAddrPort("192.0.2.1:50051")}
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		seen := p.ask(ctx, newAttempt(ctx), newCanned(b))
		wantSense(t, seen)
		if seen.OK && seen.Status != "SERVING" || !seen.OK && bytes.Equal(b, good) {
			t.Errorf("%q: saw %+v", b, seen)
		}
	})
}

// FuzzGRPC lets a server end a call with anything.
func FuzzGRPC(f *testing.F) {
	f.Add(uint32(codes.NotFound), "no such service")
	f.Add(uint32(codes.Unavailable), "connection error: \x1b[2J")
	f.Add(uint32(99), "\xff\n")
	f.Fuzz(func(t *testing.T, code uint32, message string) {
		a := attempt{begin: time.Now(), limit: time.Second}
		if codes.Code(code) != codes.OK {
			wantSense(t, a.grpcFailed(status.Error(codes.Code(code), message)))
		}
		wantSense(t, a.grpcFailed(errors.New(message)))
	})
}
