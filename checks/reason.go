package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// attempt is one run of a probe.
type attempt struct {
	begin time.Time
	limit time.Duration // as it is configured
}

// limitKey is where WithTimeout leaves the time limit in a context.
type limitKey struct{}

// WithTimeout is context.WithTimeout for one run of a probe, whose reasons then
// tell the time limit as it is configured: by the deadline alone nobody knows
// how much of it had passed before the probe came to look.
func WithTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, limitKey{}, timeout), timeout)
}

func newAttempt(ctx context.Context) attempt {
	a := attempt{begin: time.Now()}
	if limit, ok := ctx.Value(limitKey{}).(time.Duration); ok {
		a.limit = limit
	} else if deadline, ok := ctx.Deadline(); ok {
		a.limit = deadline.Sub(a.begin)
	}
	return a
}

// failed returns the observation of a probe that could not do what verb says.
func (a attempt) failed(verb string, err error) Observation {
	return Observation{Reason: a.reason(verb, err), Latency: time.Since(a.begin), Ours: oursAlone(err)}
}

// reason says in an operator's words why verb failed.
func (a attempt) reason(verb string, err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return verb + ": " + errno.Error()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s: no answer in %v", verb, a.limit)
	case errors.Is(err, context.Canceled):
		return verb + ": cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return verb + ": connection closed by the server"
	}
	return verb + ": " + err.Error()
}

// tlsFailed returns the observation of a failed handshake.
func (a attempt) tlsFailed(err error) Observation {
	seen := a.failed("tls", err)
	if file, ok := errors.AsType[fileError](err); ok {
		return Observation{Reason: "tls: " + file.Error(), Latency: seen.Latency, Ours: true}
	}
	if words := tlsWords(err, time.Now()); words != "" {
		seen.Reason = "tls: " + words
	}
	return seen
}

// tlsWords says in an operator's words why a TLS handshake failed; nothing if
// err says it well.
func tlsWords(err error, now time.Time) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if now.Before(invalid.Cert.NotBefore) {
			return "certificate not valid for another " + days(invalid.Cert.NotBefore.Sub(now))
		}
		return "certificate expired " + days(now.Sub(invalid.Cert.NotAfter)) + " ago"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "certificate signed by an unknown authority"
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return "certificate is not for " + host.Host
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return "refused by the server: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// days returns d as a person says it.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case n == 1:
		return "1 day"
	case n > 1:
		return fmt.Sprintf("%d days", n)
	}
	return d.Round(time.Second).String()
}
