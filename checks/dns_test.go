package checks

import (
	"net"
	"net/netip"
	"testing"
)

// serveBoth answers datagrams and connections to the same loopback port.
func serveBoth(t *testing.T, datagram func([]byte) []byte, stream func(net.Conn)) netip.AddrPort {
	t.Helper()
	for {
		target := serve(t, stream)
		if c, err := net.ListenPacket("udp", target.String()); err == nil { // else somebody has it
			return answerDatagrams(t, c, datagram)
		}
	}
}

// TestDNSTruncated asks over TCP for what a datagram had no room for, and only for that.
func TestDNSTruncated(t *testing.T) {
	truncated := func(answer func([]byte) []byte) func([]byte) []byte {
		return func(question []byte) []byte {
			b := answer(question)
			b[2] |= 0x02
			return b
		}
	}
	nothing := truncated(dnsAnswer(0))
	one := DNS{Name: "example.net", Answer: []string{"192.0.2.7"}}
	tests := []struct {
		name     string
		datagram func([]byte) []byte
		stream   func(net.Conn) // nil is nobody
		probe    DNS
		reason   string
	}{
		{"the whole is good", nothing, dnsServer(dnsAnswer(0, "192.0.2.7")), one, ""},
		{"a part is good", truncated(dnsAnswer(0, "192.0.2.7")), nil, one, ""},
		{"a part lacks one", truncated(dnsAnswer(0, "192.0.2.1")), dnsServer(dnsAnswer(0, "192.0.2.1", "192.0.2.7")), one, ""},
		{"nothing is good", nothing, nil, DNS{Name: "example.net", Empty: true}, ""},
		{"the whole is not good", nothing, dnsServer(dnsAnswer(0, "192.0.2.1")), one, "dns: answer is truncated, over TCP: answer has no 192.0.2.7, but 192.0.2.1"},
		{"no TCP", nothing, nil, one, "dns: answer is truncated, over TCP: connect: connection refused"},
		{"no answer", nothing, waitForEnd, one, "dns: answer is truncated, over TCP: no answer in 300ms"},
		{"not truncated", dnsAnswer(0), dnsServer(dnsAnswer(0, "192.0.2.7")), one, "dns: no A record of example.net"},
		{"echo", truncated(func(b []byte) []byte { return b }), dnsServer(dnsAnswer(0, "192.0.2.7")), one, "dns: the question came back"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.probe
			if tt.stream == nil {
				p.Target = serveDatagrams(t, tt.datagram)
			} else {
				p.Target = serveBoth(t, tt.datagram, tt.stream)
			}
			seen := runBothWays(t, p, limitFor(tt.reason))
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
}
