package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// failed returns the observation of a probe that could not do what verb says.
func failed(ctx context.Context, begin time.Time, verb string, err error) Observation {
	return Observation{
		Reason:  reason(ctx, begin, verb, err),
		Latency: time.Since(begin),
		Ours:    oursAlone(err),
	}
}

// reason says in an operator's words why verb failed.
func reason(ctx context.Context, begin time.Time, verb string, err error) string {
	var (
		errno   syscall.Errno
		syscall *os.SyscallError
		path    *fs.PathError
	)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s: no answer in %v", verb, allowed(ctx, begin))
	case errors.Is(err, context.Canceled):
		return verb + ": cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return verb + ": connection closed by the server"
	case errors.As(err, &syscall) && errors.As(err, &errno):
		return verb + ": " + errno.Error()
	case errors.As(err, &path) && errors.As(err, &errno):
		return verb + ": " + errno.Error()
	}
	return verb + ": " + err.Error()
}

// allowed returns the time that the probe had, as it is configured.
func allowed(ctx context.Context, begin time.Time) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Since(begin).Round(time.Millisecond)
	}
	return deadline.Sub(begin).Round(time.Millisecond)
}

// tlsReason says in an operator's words why a TLS handshake failed.
func tlsReason(ctx context.Context, begin time.Time, err error) string {
	var (
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		now := time.Now()
		if now.Before(invalid.Cert.NotBefore) {
			return "tls: certificate not valid for another " + days(invalid.Cert.NotBefore.Sub(now))
		}
		return "tls: certificate expired " + days(now.Sub(invalid.Cert.NotAfter)) + " ago"
	case errors.As(err, &unknown):
		return "tls: certificate signed by an unknown authority"
	case errors.As(err, &host):
		return "tls: certificate is not for " + host.Host
	case errors.As(err, &record):
		return "tls: the server does not speak TLS"
	case errors.As(err, &alert):
		return "tls: refused by the server: " + alert.Error()
	}
	return reason(ctx, begin, "tls", err)
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
