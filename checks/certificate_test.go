package checks

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

func TestCertificate(t *testing.T) {
	now := time.Now()
	pair, ca := certificate(t, now.Add(-time.Hour), now.Add(10*24*time.Hour+time.Hour))
	server := func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
		if s.Handshake() == nil {
			waitForEnd(s)
		}
	}
	const day = 24 * time.Hour
	tests := []struct {
		name   string
		tls    TLS
		min    time.Duration
		reason string
	}{
		{"long enough", TLS{CAFile: ca}, 7 * day, ""},
		{"soon over", TLS{CAFile: ca}, 14 * day, "tls: certificate expires in 10 days, wanted 14 days"},
		{"unknown, but only its age matters", TLS{Insecure: true}, 7 * day, ""},
		{"unknown", TLS{}, 0, "tls: certificate signed by an unknown authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := runBothWays(t, Certificate{Target: serve(t, server), TLS: tt.tls, MinValid: tt.min}, 20*time.Second)
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
			if seen.OK && seen.Status != "expires in 10 days" {
				t.Errorf("status is %q", seen.Status)
			}
		})
	}
}
