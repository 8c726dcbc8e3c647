package checks

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// Redis is up when a server answers PING, after a login if there is a password.
type Redis struct {
	Target   netip.AddrPort
	Route    Route
	TLS      *TLS   // nil is none
	User     string // empty is the default user
	Password string // empty is no login
}

// Kind returns "redis".
func (Redis) Kind() string { return "redis" }

// Key implements Probe.
func (p Redis) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p Redis) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p Redis) compile() runner {
	secure := optionalTLS(p.TLS, p.Target)
	return func(ctx context.Context) Observation {
		t := startTalk(ctx, p.Target, p.Route, secure, "redis")
		p.converse(t)
		return t.verdict()
	}
}

func (p Redis) converse(t *talk) {
	switch {
	case p.Password != "" && p.User != "":
		t.redis("+OK", "AUTH", p.User, p.Password)
	case p.Password != "":
		t.redis("+OK", "AUTH", p.Password)
	}
	t.redis("+PONG", "PING")
}

// redis sends a command, as an array of strings, and wants an answer.
func (t *talk) redis(want string, words ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	t.send(b.String())
	line := t.line()
	if problem, ok := strings.CutPrefix(line, "-"); ok {
		t.fail("%s: %s", words[0], firstLine([]byte(problem)))
	} else if !t.ended && line != want {
		t.fail("answer to %s is %s, wanted %s", words[0], shorten([]byte(line)), want)
	}
}
