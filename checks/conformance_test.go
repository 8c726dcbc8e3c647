package checks

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// streamProbe is a probe that holds a conversation over TCP, with a server that
// does right by it.
type streamProbe struct {
	name  string
	probe func(target netip.AddrPort) Probe
	right func(c net.Conn)
}

func streamProbes() []streamProbe {
	return []streamProbe{
		{"http", func(a netip.AddrPort) Probe { return HTTP{Target: a, Contains: "ok"} }, reply(okHead + "Content-Length: 2\r\n\r\nok")},
		{"h2c", func(a netip.AddrPort) Probe { return HTTP{Target: a, HTTP2: true, Contains: "ok"} }, http2Server(nil)},
		{"http redirected", func(a netip.AddrPort) Probe { return HTTP{Target: a, Redirects: 1, Contains: "ok"} }, func(c net.Conn) {
			if strings.HasPrefix(string(readRequest(c)), "GET / ") {
				_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /home\r\n\r\n")
				return
			}
			_, _ = io.WriteString(c, okHead+"Content-Length: 2\r\n\r\nok")
		}},
		{"tcp steps", func(a netip.AddrPort) Probe {
			return TCP{Target: a, Steps: []Step{{"", Expect{Contains: "hello"}}, {"ping\n", Expect{Matches: "(?m)^po+ng"}}}}
		}, say("hello\n", "ping", "pooong\n")},
		{"smtp", func(a netip.AddrPort) Probe { return Text{Protocol: "smtp", Target: a} },
			say("220-mx\r\n220 mx ESMTP\r\n", "EHLO", "250-mx\r\n250-SIZE\r\n250 HELP\r\n", "QUIT", "221 bye\r\n")},
		{"imap", func(a netip.AddrPort) Probe { return Text{Protocol: "imap", Target: a} }, say("* OK ready\r\n")},
		{"pop", func(a netip.AddrPort) Probe { return Text{Protocol: "pop", Target: a} }, say("+OK ready\r\n")},
		{"ftp", func(a netip.AddrPort) Probe { return Text{Protocol: "ftp", Target: a} }, say("220-Welcome\r\n  to this\r\n220 server\r\n")},
		{"nntp", func(a netip.AddrPort) Probe { return Text{Protocol: "nntp", Target: a} }, say("201 no posting\r\n")},
		{"redis", func(a netip.AddrPort) Probe { return Redis{Target: a, Password: "secret"} },
			say("", "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", "+OK\r\n", "*1\r\n$4\r\nPING\r\n", "+PONG\r\n")},
		{"mysql", func(a netip.AddrPort) Probe { return MySQL{Target: a, User: "check"} },
			say(framed(0, mysqlHello), "check\x00\x00", framed(2, "\x00\x00\x00\x02\x00\x00\x00"))},
		{"pgsql", func(a netip.AddrPort) Probe { return PostgreSQL{Target: a, User: "check", Database: "db"} },
			say("", "user\x00check\x00database\x00db\x00\x00", "R\x00\x00\x00\x08\x00\x00\x00\x03")},
		{"ldap", func(a netip.AddrPort) Probe { return LDAP{Target: a} },
			say("", "\x60\x07\x02\x01\x03\x04\x00\x80\x00", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00")},
		{"dns over tcp", func(a netip.AddrPort) Probe {
			return DNS{Target: a, TCP: true, Name: "example.net", Answer: []string{"192.0.2.7"}}
		},
			dnsServer(dnsAnswer(0, "192.0.2.7"))},
		{"agent", func(a netip.AddrPort) Probe { return Agent{Target: a, Weight: 10} }, func(c net.Conn) { _, _ = io.WriteString(c, "up 50%\n") }},
		{"grpc", func(a netip.AddrPort) Probe { return GRPC{Target: a, Service: "web"} }, grpcServer(healthpb.HealthCheckResponse_SERVING)},
	}
}

// TestConformance lets every probe meet a server that does right, and many
// that do not, and wants the verdict, a word of the reason and the time.
func TestConformance(t *testing.T) {
	const limit = 300 * time.Millisecond
	garbage := strings.Repeat("\xfe\x00\x17\r\n\xff", 40)
	behaviours := []struct {
		name   string
		server func(p streamProbe) func(net.Conn)
		words  string // in the reason, separated by |; empty is up
		slow   bool   // the verdict takes the time limit
	}{
		{"right", func(p streamProbe) func(net.Conn) { return p.right }, "", false},
		{"right, in single bytes", func(p streamProbe) func(net.Conn) { return func(c net.Conn) { p.right(single{c}) } }, "", false},
		{"answers late but in time", func(p streamProbe) func(net.Conn) {
			together := rendezvous(2) // whoever asks first waits for the other way
			return func(c net.Conn) { together(); p.right(c) }
		}, "", false},
		{"never answers", func(streamProbe) func(net.Conn) { return waitForEnd }, "no answer in 300ms", true},
		{"answers too late", func(p streamProbe) func(net.Conn) {
			return func(c net.Conn) { waitForEnd(c); p.right(c) } // however late the prober gives up
		}, "no answer in 300ms", true},
		{"closes at once", func(streamProbe) func(net.Conn) { return func(net.Conn) {} }, "closed|reset|lost|broken pipe", false},
		{"reads and closes", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }
		}, "closed|reset|no answer|lost", false},
		{"resets", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }
		}, "closed|reset|lost|broken pipe", false},
		{"garbage", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { _, _ = io.WriteString(c, garbage); waitForEnd(c) }
		}, "not|no |is|malformed|wanted|unknown|bytes|lost|question", false},
		{"another protocol", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); waitForEnd(c) }
		}, "not|no |is|malformed|wanted|unknown|bytes|lost|question", false},
		{"huge answer", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) {
				for {
					if _, err := io.WriteString(c, strings.Repeat("x", 1<<14)); err != nil {
						return
					}
				}
			}
		}, "not|no |is|malformed|bytes|unknown|lost|question", false},
		{"slow drip", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { trickle(c, strings.Repeat("22", 1000)) }
		}, "", true},
		{"half-open", func(streamProbe) func(net.Conn) {
			return func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite(); waitForEnd(c) }
		}, "closed|reset|lost", false},
	}
	for _, p := range streamProbes() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					timeout := 20 * time.Second
					if b.slow || strings.Contains(b.words, "no answer") || b.name == "garbage" || b.name == "another protocol" {
						timeout = limit
					}
					seen := runBothWaysLoosely(t, p.probe(serve(t, b.server(p))), timeout)
					switch {
					case b.name == "slow drip":
						if seen.OK {
							t.Errorf("saw %+v", seen)
						}
					case seen.OK != (b.words == ""):
						t.Errorf("saw %+v", seen)
					case b.words != "" && !containsAny(seen.Reason, b.words):
						t.Errorf("the reason %q has none of %s", seen.Reason, b.words)
					}
				})
			}
			for words, target := range map[string]netip.AddrPort{"connect: connection refused": closedPort(t), "connect: no answer in 300ms": fullPort(t)} {
				if seen := runBothWaysLoosely(t, p.probe(target), limit); seen.Reason != words {
					t.Errorf("saw %+v, want %q", seen, words)
				}
			}
		})
	}
}

// rendezvous returns a function that waits until it has been called n times.
func rendezvous(n int) func() {
	var calls atomic.Int64
	all := make(chan struct{})
	return func() {
		if calls.Add(1) == int64(n) {
			close(all)
		}
		<-all
	}
}

func containsAny(s, words string) bool {
	for w := range strings.SplitSeq(words, "|") {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// TestWrongAnswers wants what a server says to reach the operator.
func TestWrongAnswers(t *testing.T) {
	tests := []struct {
		name   string
		server func(net.Conn)
		probe  func(a netip.AddrPort) Probe
		reason string
	}{
		{"smtp greeting", say("554 no service\r\n"), func(a netip.AddrPort) Probe { return Text{Protocol: "smtp", Target: a} }, `smtp: greeting is "554 no service", wanted 220`},
		{"smtp hello", say("220 mx\r\n", "EHLO me\r\n", "421 busy\r\n"), func(a netip.AddrPort) Probe { return Text{Protocol: "smtp", Target: a, Hello: "me"} }, `smtp: answer to EHLO is "421 busy", wanted 250`},
		{"smtp without STARTTLS", say("220 mx\r\n", "EHLO", "250 mx\r\n", "STARTTLS", "502 what\r\n"), func(a netip.AddrPort) Probe { return Text{Protocol: "smtp", Target: a, TLS: &TLS{}, StartTLS: true} }, `smtp: answer to STARTTLS is "502 what", wanted 220`},
		{"imap", say("* BYE overloaded\r\n"), func(a netip.AddrPort) Probe { return Text{Protocol: "imap", Target: a} }, `imap: greeting is "* BYE overloaded", wanted * OK or * PREAUTH`},
		{"redis", say("", "PING", "-LOADING Redis is loading the dataset in memory\r\n"), func(a netip.AddrPort) Probe { return Redis{Target: a} }, "redis: PING: LOADING Redis is loading the dataset in memory"},
		{"mysql full", say(framed(0, "\xff\x10\x04Too many connections")), func(a netip.AddrPort) Probe { return MySQL{Target: a} }, "mysql: Too many connections"},
		{"mysql user", say(framed(0, mysqlHello), "check", framed(2, "\xff\x15\x04#28000Access denied for user 'check'")), func(a netip.AddrPort) Probe { return MySQL{Target: a, User: "check"} }, "mysql: Access denied for user 'check'"},
		{"mysql password", say(framed(0, mysqlHello), "check", framed(2, "\xfecaching_sha2_password\x00"), framed(3, ""), framed(4, "\x01\x04")), func(a netip.AddrPort) Probe { return MySQL{Target: a, User: "check"} }, "mysql: user check needs a password"},
		{"pgsql", say("", "director\x00", "E\x00\x00\x00\x31SFATAL\x00C57P03\x00Mthe database is starting up\x00\x00\x00\x00"), func(a netip.AddrPort) Probe { return PostgreSQL{Target: a} }, "pgsql: the database is starting up"},
		{"ldap", say("", "\x80", "\x30\x14\x02\x01\x01\x61\x0f\x0a\x01\x31\x04\x00\x04\x08bad luck"), func(a netip.AddrPort) Probe { return LDAP{Target: a, DN: "cn=x", Password: "y"} }, "ldap: bind refused: invalid credentials (bad luck)"},
		{"tcp wanted", func(c net.Conn) { _, _ = io.WriteString(c, "no\n") }, func(a netip.AddrPort) Probe { return TCP{Target: a, Steps: []Step{{"", Expect{Contains: "yes"}}}} }, `tcp: wanted "yes", got "no\n"`},
		{"tcp second step", say("hello\n", "ping", "what?\n"), func(a netip.AddrPort) Probe {
			return TCP{Target: a, Steps: []Step{{"", Expect{Contains: "hello"}}, {"ping\n", Expect{Matches: "^pong"}}}}
		}, `step 2: no /^pong/ in 300ms, got "what?\n"`},
		{"agent", func(c net.Conn) { _, _ = io.WriteString(c, "down #backup runs\n") }, func(a netip.AddrPort) Probe { return Agent{Target: a} }, "agent: down: backup runs"},
		{"dns", dnsServer(dnsAnswer(2)), func(a netip.AddrPort) Probe { return DNS{Target: a, TCP: true, Name: "example.net"} }, "dns: answer is SERVFAIL, wanted NOERROR"},
		{"dns, empty", dnsServer(dnsAnswer(0)), func(a netip.AddrPort) Probe { return DNS{Target: a, TCP: true, Name: "example.net"} }, "dns: no A record of example.net"},
		{"dns, other", dnsServer(dnsAnswer(0, "192.0.2.1")), func(a netip.AddrPort) Probe {
			return DNS{Target: a, TCP: true, Name: "example.net", Answer: []string{"192.0.2.9"}}
		}, "dns: answer has no 192.0.2.9, but 192.0.2.1"},
		{"grpc", grpcServer(healthpb.HealthCheckResponse_NOT_SERVING), func(a netip.AddrPort) Probe { return GRPC{Target: a, Service: "web"} }, "grpc: status NOT_SERVING, wanted SERVING"},
		{"grpc, other service", grpcServer(healthpb.HealthCheckResponse_SERVING), func(a netip.AddrPort) Probe { return GRPC{Target: a, Service: "mail"} }, "grpc: the server knows no such service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := runBothWaysLoosely(t, tt.probe(serve(t, tt.server)), limitFor(tt.reason))
			if seen.OK || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
}

// TestTextStartTLS goes through STARTTLS.
func TestTextStartTLS(t *testing.T) {
	now := time.Now()
	pair, ca := certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	for protocol, lines := range map[string][2]string{
		"smtp": {"STARTTLS", "220 go on\r\n"}, "imap": {"STARTTLS", "a OK go on\r\n"},
		"pop": {"STLS", "+OK go on\r\n"}, "ftp": {"AUTH TLS", "234 go on\r\n"}, "nntp": {"STARTTLS", "382 go on\r\n"},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			greeting := map[string]string{"smtp": "220 mx\r\n", "imap": "* OK\r\n", "pop": "+OK\r\n", "ftp": "220 hi\r\n", "nntp": "200 hi\r\n"}[protocol]
			target := serve(t, func(c net.Conn) {
				_, _ = io.WriteString(c, greeting)
				if protocol == "smtp" {
					readUntil(c, "EHLO")
					_, _ = io.WriteString(c, "250 mx\r\n")
				}
				readUntil(c, lines[0])
				_, _ = io.WriteString(c, lines[1])
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
				if protocol == "smtp" {
					readUntil(s, "EHLO")
					_, _ = io.WriteString(s, "250 mx\r\n")
				}
				waitForEnd(s)
			})
			seen := runBothWaysLoosely(t, Text{Protocol: protocol, Target: target, TLS: &TLS{CAFile: ca}, StartTLS: true}, 20*time.Second)
			if !seen.OK {
				t.Errorf("saw %+v", seen)
			}
		})
	}
}
