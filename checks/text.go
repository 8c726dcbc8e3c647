package checks

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Text is up when a server of one of the protocols that talk in lines greets
// and takes its leave as it should.
type Text struct {
	Protocol string // a key of textProtocols: smtp, imap, pop, ftp, nntp
	Target   netip.AddrPort
	Route    Route
	TLS      *TLS   // nil is none
	StartTLS bool   // TLS is begun by a command, after the greeting
	Hello    string // name for SMTP's EHLO; empty is the host's
}

// textProtocol says how a protocol goes. An answer is good when it begins with
// one of the words given for it.
type textProtocol struct {
	greeting []string
	hello    string // command with the client's name
	helloOK  []string
	startTLS string
	startOK  []string
	quit     string
	more     func(line string) bool // whether the answer goes on after this line
}

// textProtocols returns the protocols that a Text knows.
func textProtocols() map[string]textProtocol {
	// RFC 5321 section 4.2.1, and RFC 959: a reply code followed by a hyphen.
	// Lines within such a reply of FTP need not have the code.
	numbered := func(line string) bool {
		return len(line) < 4 || line[3] == '-' || strings.Trim(line[:3], "0123456789") != ""
	}
	untagged := func(line string) bool { return strings.HasPrefix(line, "* ") }
	never := func(string) bool { return false }
	return map[string]textProtocol{
		"smtp": {
			greeting: []string{"220"}, hello: "EHLO ", helloOK: []string{"250"},
			startTLS: "STARTTLS", startOK: []string{"220"}, quit: "QUIT", more: numbered,
		},
		"imap": {
			greeting: []string{"* OK", "* PREAUTH"}, startTLS: "a STARTTLS", startOK: []string{"a OK"},
			quit: "b LOGOUT", more: untagged,
		},
		"pop":  {greeting: []string{"+OK"}, startTLS: "STLS", startOK: []string{"+OK"}, quit: "QUIT", more: never},
		"ftp":  {greeting: []string{"220"}, startTLS: "AUTH TLS", startOK: []string{"234"}, quit: "QUIT", more: numbered},
		"nntp": {greeting: []string{"200", "201"}, startTLS: "STARTTLS", startOK: []string{"382"}, quit: "QUIT", more: never},
	}
}

// Kind returns the protocol.
func (p Text) Kind() string { return p.Protocol }

// Key implements Probe.
func (p Text) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p Text) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p Text) compile() runner {
	protocol, ok := textProtocols()[p.Protocol]
	if !ok {
		return broken(fmt.Errorf("no protocol %q", p.Protocol))
	}
	secure := optionalTLS(p.TLS, p.Target)
	atOnce := secure
	if p.StartTLS {
		atOnce = nil
	}
	name := p.Hello
	if name == "" {
		if name, _ = os.Hostname(); name == "" {
			name = "localhost"
		}
	}
	return func(ctx context.Context) Observation {
		t := startTalk(ctx, p.Target, p.Route, atOnce, p.Protocol)
		var later *tlsClient
		if p.StartTLS {
			later = secure
		}
		protocol.converse(t, name, later)
		return t.verdict()
	}
}

// converse speaks with a server, by TLS from the command on that begins it if
// secure is not nil.
func (p textProtocol) converse(t *talk, name string, secure *tlsClient) {
	hello := func() {
		if p.hello != "" {
			t.command(p.hello+name, p.helloOK, p.more)
		}
	}
	t.greeting(p)
	if secure != nil {
		hello()
		t.command(p.startTLS, p.startOK, p.more)
		t.came = nil // what came before TLS is nobody's word (RFC 3207 section 5)
		t.secure(secure)
	}
	hello()
	t.send(p.quit + "\r\n")
}

func (t *talk) greeting(p textProtocol) {
	// The untagged answers of IMAP go on until a tagged one; its greeting is
	// untagged and alone.
	more := p.more
	if strings.HasPrefix(p.greeting[0], "* ") {
		more = nil
	}
	t.seen.Status = t.answer(p.greeting, more, "greeting")
}

func (t *talk) command(line string, good []string, more func(string) bool) {
	t.send(line + "\r\n")
	word, _, _ := strings.Cut(line, " ")
	if word == "a" {
		word = strings.TrimPrefix(line, "a ")
	}
	t.answer(good, more, "answer to "+word)
}

// answer reads one answer, wants its last line to begin with one of good, and
// returns it.
func (t *talk) answer(good []string, more func(string) bool, what string) string {
	line := t.line()
	for n := 0; !t.ended && more != nil && more(line); n++ {
		if n > 1000 {
			t.fail("%s does not end", what)
		}
		line = t.line()
	}
	for _, word := range good {
		if strings.HasPrefix(line, word) {
			return firstLine([]byte(line))
		}
	}
	if !t.ended {
		t.fail("%s is %s, wanted %s", what, shorten([]byte(line)), strings.Join(good, " or "))
	}
	return ""
}
