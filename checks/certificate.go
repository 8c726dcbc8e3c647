package checks

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"
)

// Certificate is up when the target shows a certificate by TLS that is good
// now and stays so for some time.
type Certificate struct {
	Target   netip.AddrPort
	Route    Route
	TLS      TLS
	MinValid time.Duration // for which every certificate of the chain must still be valid
}

// Kind returns "certificate".
func (Certificate) Kind() string { return "certificate" }

// Key implements Probe.
func (p Certificate) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p Certificate) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p Certificate) compile() runner {
	secure := newTLSClient(p.TLS, "", p.Target)
	return func(ctx context.Context) Observation {
		t := startTalk(ctx, p.Target, p.Route, secure, "tls")
		if stream, ok := t.stream.(*tls.Conn); ok && !t.ended {
			left := validFor(stream.ConnectionState(), time.Now())
			t.seen.Status = "expires in " + days(left)
			if left < p.MinValid {
				t.fail("certificate expires in %s, wanted %s", days(left), days(p.MinValid))
			}
		}
		return t.verdict()
	}
}

// validFor returns for how long all the certificates that were shown are valid.
func validFor(state tls.ConnectionState, now time.Time) time.Duration {
	left := time.Duration(1<<63 - 1)
	for _, cert := range state.PeerCertificates {
		left = min(left, cert.NotAfter.Sub(now))
	}
	return left
}
