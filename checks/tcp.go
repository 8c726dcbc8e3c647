package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

// TCP is up when the target accepts a connection, and then answers each step
// as expected.
type TCP struct {
	Target netip.AddrPort
	Route  Route
	TLS    *TLS // nil is none
	Steps  []Step
	Proxy  Proxy // header that begins the connection
}

// Step sends something and waits until the answer is as expected.
type Step struct {
	Send   string
	Expect Expect
}

// Kind returns "tcp".
func (TCP) Kind() string { return "tcp" }

// Key implements Probe.
func (p TCP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p TCP) Run(ctx context.Context) Observation {
	if d := p.dialog(); d != nil {
		return d.run(ctx)
	}
	return p.compile()(ctx)
}

func (p TCP) dialog() *dialog {
	if p.TLS != nil || len(p.Steps) > 0 || p.Proxy != 0 {
		return nil
	}
	return newDialog(p.Target, p.Route, func() exchange { return connectOnly{} })
}

// connectOnly is the exchange that has nothing to say.
type connectOnly struct{}

func (connectOnly) next(int, []byte) *verdict { return &verdict{seen: Observation{OK: true}} }
func (connectOnly) verb() string              { return "connect" }

func (p TCP) compile() runner {
	secure := optionalTLS(p.TLS, p.Target)
	want := make([]wanted, len(p.Steps))
	for i, step := range p.Steps {
		var err error
		if want[i], err = step.Expect.compile(); err != nil {
			return broken(err)
		}
	}
	return func(ctx context.Context) Observation {
		t := startTalk(ctx, p.Target, p.Route, nil, "tcp")
		t.send(p.Proxy.header())
		if secure != nil {
			t.secure(secure)
		}
		for i, step := range p.Steps {
			if len(p.Steps) > 1 {
				t.verb = fmt.Sprintf("step %d", i+1)
			}
			t.send(step.Send)
			t.expect(want[i])
		}
		return t.verdict()
	}
}

// broken is the runner of a probe that cannot be run.
func broken(err error) runner {
	return func(context.Context) Observation { return Observation{Reason: err.Error(), Ours: true} }
}

// optionalTLS returns nil for nil.
func optionalTLS(t *TLS, target netip.AddrPort) *tlsClient {
	if t == nil {
		return nil
	}
	return newTLSClient(*t, "", target)
}

// expect waits until what has come since the last step is as wanted.
func (t *talk) expect(w wanted) {
	if t.ended || w.anything() {
		return
	}
	for !w.met(t.came) {
		if len(t.came) > maxAnswer {
			t.fail("no %v in the first %d bytes of the answer", w, maxAnswer)
			return
		}
		switch err := t.read(); {
		case err == nil:
		case len(t.came) == 0:
			t.broken(err)
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.fail("no %v in %v, got %s", w, t.limit, shorten(t.came))
			return
		case errors.Is(err, io.EOF):
			t.fail("wanted %v, got %s", w, shorten(t.came))
			return
		default:
			t.broken(err)
			return
		}
	}
	t.seen.Status = firstLine([]byte(strings.ToValidUTF8(string(t.came), "?")))
	t.came = t.came[:0]
}
