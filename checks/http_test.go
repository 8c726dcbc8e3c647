package checks

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// reply is a server that reads a request, says s and closes.
func reply(s string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, s)
	}
}

// drip is a server that reads a request and trickles s.
func drip(s string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		trickle(c, s)
	}
}

// trickle says s byte by byte, until the other side has had enough. To wait for
// that is what makes it slow.
func trickle(c net.Conn, s string) {
	for i := range len(s) {
		if _, err := io.WriteString(c, s[i:i+1]); err != nil {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// proxied is a server that is content when a connection begins with head.
func proxied(head string) func(net.Conn) {
	return func(c net.Conn) {
		if strings.HasPrefix(string(readRequest(c)), head) || readUntil(c, head) {
			_, _ = io.WriteString(c, okHead+"\r\n")
		}
	}
}

func TestHTTPWeight(t *testing.T) {
	for _, p := range []HTTP{
		{Target: serve(t, reply(okHead+"X-Weight: 7\r\n\r\n")), WeightHeader: "X-Weight"},
		{Target: serve(t, reply(okHead+"\r\n 7 of 10\nand more")), WeightBody: true},
	} {
		if seen := p.Run(t.Context()); !seen.OK || seen.Weight == nil || *seen.Weight != 7 {
			t.Errorf("saw %+v, want weight 7", seen)
		}
	}
}

const okHead = "HTTP/1.1 200 OK\r\n"

// httpTest is what probe, whose target is server, is to see.
type httpTest struct {
	name   string
	server func(net.Conn)
	probe  HTTP
	status string
	reason string // empty is up
}

func testHTTP(t *testing.T, tests []httpTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.probe
			p.Target = serve(t, tt.server)
			seen := runBothWays(t, p, limitFor(tt.reason))
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason || seen.Status != tt.status {
				t.Errorf("saw %+v, want status %q, reason %q", seen, tt.status, tt.reason)
			}
		})
	}
}

func TestHTTP(t *testing.T) {
	tests := []httpTest{
		{"ok", reply(okHead + "Content-Length: 2\r\n\r\nok"), HTTP{}, "200", ""},
		{"no length", reply(okHead + "\r\nall is well"), HTTP{Contains: "well"}, "200", ""},
		{"chunks", reply(okHead + "Transfer-Encoding: chunked\r\n\r\n4\r\nwe a\r\n3;x=y\r\nre \r\n2\r\nup\r\n0\r\n\r\n"), HTTP{Matches: "^we are up$"}, "200", ""},
		{"bare line feeds", reply("HTTP/1.0 200\nContent-Length: 0\n\n"), HTTP{}, "200", ""},
		{"interim answer", reply("HTTP/1.1 100 Continue\r\n\r\n" + okHead + "\r\n"), HTTP{}, "200", ""},
		{"connection stays open", func(c net.Conn) { reply(okHead + "Content-Length: 4\r\n\r\ngood")(c); waitForEnd(c) }, HTTP{Contains: "good"}, "200", ""},
		{"head", func(c net.Conn) { reply(okHead + "Content-Length: 400\r\n\r\n")(c); waitForEnd(c) }, HTTP{Method: "HEAD", Contains: ""}, "200", ""},
		{"answers before it reads", func(c net.Conn) { _, _ = io.WriteString(c, okHead+"\r\n"); waitForEnd(c) }, HTTP{}, "200", ""},
		{"other status wanted", reply("HTTP/1.1 404 Not Found\r\n\r\n"), HTTP{Status: []StatusRange{{404, 404}}}, "404", ""},

		{"json", reply(okHead + "\r\n" + `{"db":[{"state":"up"},{"state":2}]}`), HTTP{JSON: JSON{"db.1.state", []string{"1", "2"}}}, "200", ""},
		{"json, just there", reply(okHead + "\r\n" + `{"ready":true}`), HTTP{JSON: JSON{Path: "ready"}}, "200", ""},
		{"digest", reply(okHead + "\r\nok"), HTTP{SHA256: "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"}, "200", ""},
		{"basic authentication", func(c net.Conn) {
			if !readUntil(c, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n") {
				return
			}
			_, _ = io.WriteString(c, okHead+"\r\n")
		}, HTTP{User: "Aladdin", Password: "open sesame"}, "200", ""},
		{"proxy 1", proxied("PROXY UNKNOWN\r\nGET "), HTTP{Proxy: 1}, "200", ""},
		{"proxy 2", proxied("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00GET "), HTTP{Proxy: 2}, "200", ""},

		{"json, other value", reply(okHead + "\r\n" + `{"state":"down"}`), HTTP{JSON: JSON{"state", []string{"up"}}}, "200", `http body has state = "down", wanted up`},
		{"json, not there", reply(okHead + "\r\n" + `{"state":["up"]}`), HTTP{JSON: JSON{Path: "state.1"}}, "200", "http body has no state.1"},
		{"json, false", reply(okHead + "\r\n" + `{"ready":false}`), HTTP{JSON: JSON{Path: "ready"}}, "200", `http body has ready = "false"`},
		{"no json", reply(okHead + "\r\nready"), HTTP{JSON: JSON{Path: "ready"}}, "200", "http body is not JSON"},
		{"other digest", reply(okHead + "\r\nko"), HTTP{SHA256: "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"}, "200", "http body has the digest 1fdbc74ccfd6…, wanted 2689367b205c…"},
		{"too much for a digest", reply(okHead + "\r\n" + strings.Repeat("x", maxHTTPBody)), HTTP{SHA256: "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"}, "200", "http body has 65536 bytes or more, of which no digest is made"},
		{"no weight in the body", reply(okHead + "\r\nheavy load"), HTTP{WeightBody: true}, "200", `http body begins with "heavy", wanted a weight`},
		{"no weight", reply(okHead + "X-Weight: heavy\r\n\r\n"), HTTP{WeightHeader: "x-weight"}, "200", `http header x-weight is "heavy", wanted a weight`},
		{"wrong status", reply("HTTP/1.1 503 Busy\r\n\r\n"), HTTP{}, "503", "http status 503, wanted 200-299"},
		{"wrong status, long list", reply(okHead + "\r\n"), HTTP{Status: []StatusRange{{301, 302}, {404, 404}}}, "200", "http status 200, wanted 301-302, 404"},
		{"wrong status, body never comes", func(c net.Conn) { reply("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n")(c); waitForEnd(c) }, HTTP{Contains: "x"}, "500", "http status 500, wanted 200-299"},
		{"body lacks", reply(okHead + "Content-Length: 4\r\n\r\nevil"), HTTP{Contains: "good"}, "200", `http body does not contain "good"`},
		{"body does not match", reply(okHead + "\r\nstate=2"), HTTP{Matches: "state=[01]"}, "200", `http body does not match "state=[01]"`},
		{"body cut short", reply(okHead + "Content-Length: 400\r\n\r\ngood"), HTTP{Contains: "good"}, "200", "http: connection closed by the server"},
		{"chunk cut short", reply(okHead + "Transfer-Encoding: chunked\r\n\r\nff\r\ngood"), HTTP{Contains: "good"}, "200", "http: connection closed by the server"},
		{"malformed chunk", reply(okHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\ngood"), HTTP{Contains: "good"}, "200", "http: malformed chunk"},
		{"never answers", waitForEnd, HTTP{}, "", "http: no answer in 300ms"},
		{"slow headers", drip(okHead + strings.Repeat("A: b\r\n", 100) + "\r\n"), HTTP{}, "", "http: no answer in 300ms"},
		{"slow body", func(c net.Conn) {
			reply(okHead + "Content-Length: 1000\r\n\r\n")(c)
			trickle(c, strings.Repeat("good", 250))
		}, HTTP{Contains: "good"}, "", "http: no answer in 300ms"},
		{"closes early", func(c net.Conn) { readRequest(c) }, HTTP{}, "", "http: connection closed by the server"},
		{"reset", func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }, HTTP{}, "", "http: connection reset by peer"},
		{"garbage", reply("\x00\x01\x02 SSH-2.0-OpenSSH\r\n"), HTTP{}, "", "http: answer is not HTTP"},
		{"bad status line", reply("HTTP/1.1 abc\r\n\r\n"), HTTP{}, "", "http: answer is not HTTP"},
		{"endless headers", func(c net.Conn) {
			reply(okHead)(c)
			for {
				if _, err := fmt.Fprintf(c, "X: %0100d\r\n", 1); err != nil {
					return
				}
			}
		}, HTTP{}, "", "http: headers of more than 32768 bytes"},
		{"endless interim answers", func(c net.Conn) {
			readRequest(c)
			for {
				if _, err := io.WriteString(c, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)); err != nil {
					return
				}
			}
		}, HTTP{}, "", "http: interim answers of more than 32768 bytes"},
		{"endless body", func(c net.Conn) {
			reply(okHead + "\r\n")(c)
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 1<<12)); err != nil {
					return
				}
			}
		}, HTTP{Contains: "good"}, "200", `http body does not contain "good" in its first 65536 bytes`},
		{"long body does not match", reply(okHead + "\r\n" + strings.Repeat("x", maxHTTPBody) + "good"), HTTP{Matches: "good"}, "200", `http body does not match "good" in its first 65536 bytes`},
		{"long json", reply(okHead + "\r\n" + `{"state":"up","x":"` + strings.Repeat("x", maxHTTPBody) + `"}`), HTTP{JSON: JSON{"state", []string{"up"}}}, "200", "http body has 65536 bytes or more, too many to be read as JSON"},
	}
	testHTTP(t, tests)
}

func TestHTTPUnreachable(t *testing.T) {
	for reason, target := range map[string]netip.AddrPort{
		"connect: connection refused": closedPort(t),
		"connect: no answer in 300ms": fullPort(t),
	} {
		if seen := runBothWays(t, HTTP{Target: target}, limitFor(reason)); seen.Reason != reason {
			t.Errorf("saw %+v, want %q", seen, reason)
		}
	}
	if seen := runBothWays(t, HTTP{Target: closedPort(t), Matches: "("}, time.Second); !seen.Ours || !strings.Contains(seen.Reason, "missing closing )") {
		t.Errorf("saw %+v, want a failure of our own about the pattern", seen)
	}
}

func TestHTTPRequest(t *testing.T) {
	target := netip.MustParseAddrPort("[2001:db8::1]:8080")
	tests := []struct {
		name  string
		probe HTTP
		want  string
	}{
		{"plain", HTTP{Target: target}, "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nUser-Agent: director\r\nAccept: */*\r\nConnection: close\r\n\r\n"},
		{"default port", HTTP{Target: netip.MustParseAddrPort("192.0.2.1:80"), Path: "/a?b"}, "GET /a?b HTTP/1.1\r\nHost: 192.0.2.1\r\nUser-Agent: director\r\nAccept: */*\r\nConnection: close\r\n\r\n"},
		{"everything", HTTP{
			Target: target, Method: "POST", Host: "www.example.net", RequestBody: "abc",
			Headers: []Header{{"user-agent", "me"}, {"X-A", "1"}, {"X-A", "2"}},
		}, "POST / HTTP/1.1\r\nHost: www.example.net\r\nAccept: */*\r\nConnection: close\r\nuser-agent: me\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\nabc"},
	}
	for _, tt := range tests {
		if got := string(tt.probe.request()); got != tt.want {
			t.Errorf("%s: request is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHTTPS(t *testing.T) {
	now := time.Now()
	pair, ca := certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	expired, expiredCA := certificate(t, now.AddDate(0, 0, -30), now.Add(-73*time.Hour))
	early, earlyCA := certificate(t, now.Add(49*time.Hour), now.AddDate(0, 0, 30))
	key := keyFile(t, pair)
	clients := x509.NewCertPool()
	for _, der := range pair.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		clients.AddCert(cert)
	}

	secure := func(config *tls.Config, then func(net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			s := tls.Server(c, config)
			if s.Handshake() == nil {
				then(s)
				s.Close()
			}
		}
	}
	ok := reply(okHead + "Content-Length: 2\r\n\r\nok")
	good := &tls.Config{Certificates: []tls.Certificate{pair}}
	tests := []struct {
		name   string
		server func(net.Conn)
		tls    TLS
		reason string
		ours   bool
	}{
		{"known authority", secure(good, ok), TLS{CAFile: ca}, "", false},
		{"by name", secure(good, ok), TLS{CAFile: ca, ServerName: "www.example.net"}, "", false},
		{"any certificate", secure(&tls.Config{Certificates: []tls.Certificate{expired}}, ok), TLS{Insecure: true}, "", false},
		{"client certificate", secure(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}, ok),
			TLS{CAFile: ca, CertFile: ca, KeyFile: key}, "", false},
		{"unknown authority", secure(good, ok), TLS{}, "tls: certificate signed by an unknown authority", false},
		{"wrong name", secure(good, ok), TLS{CAFile: ca, ServerName: "other.example.net"}, "tls: certificate is not for other.example.net", false},
		{"expired", secure(&tls.Config{Certificates: []tls.Certificate{expired}}, ok), TLS{CAFile: expiredCA}, "tls: certificate expired 3 days ago", false},
		{"not yet valid", secure(&tls.Config{Certificates: []tls.Certificate{early}}, ok), TLS{CAFile: earlyCA}, "tls: certificate not valid for another 2 days", false},
		{"old version", secure(&tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12}, ok), TLS{CAFile: ca, MinVersion: tls.VersionTLS13}, "tls: the server speaks no TLS 1.3 or later", false},
		{"old version, chosen", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1<<12))
			// A ServerHello of TLS 1.0 (RFC 2246): type, length, version, random, session, cipher suite, compression.
			_, _ = io.WriteString(c, "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"+strings.Repeat("r", 32)+"\x00\x00\x2f\x00")
			waitForEnd(c)
		}, TLS{CAFile: ca}, "tls: the server speaks TLS 1.0, wanted at least TLS 1.2", false},
		{"no client certificate", secure(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, ok), TLS{CAFile: ca}, "tls: refused by the server: handshake failure", false},
		{"not TLS", func(c net.Conn) { _, _ = io.WriteString(c, okHead+"\r\n"); waitForEnd(c) }, TLS{CAFile: ca}, "tls: the server does not speak TLS", false},
		{"closes early", func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<12)) }, TLS{CAFile: ca}, "tls: connection closed by the server", false},
		{"never answers", waitForEnd, TLS{CAFile: ca}, "tls: no answer in 300ms", false},
		{"wrong status", secure(good, reply("HTTP/1.1 503 No\r\n\r\n")), TLS{CAFile: ca}, "http status 503, wanted 200-299", false},
		{"never answers inside", secure(good, waitForEnd), TLS{CAFile: ca}, "http: no answer in 300ms", false},
		{"no file", secure(good, ok), TLS{CAFile: "/nonexistent/ca.pem"}, "tls: stat /nonexistent/ca.pem: no such file or directory", true},
		{"a device for a file", secure(good, ok), TLS{CAFile: "/dev/zero"}, "tls: /dev/zero is no regular file", true},
		{"no certificate in file", secure(good, ok), TLS{CAFile: key}, "tls: no certificate in " + key, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := runBothWays(t, HTTP{Target: serve(t, tt.server), TLS: &tt.tls}, limitFor(tt.reason))
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason || seen.Ours != tt.ours {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
}

// FuzzParseHTTP wants no answer to crash or to be read past, and the verdict
// not to depend on the pieces in which it comes.
func FuzzParseHTTP(f *testing.F) {
	f.Add([]byte(okHead+"Content-Length: 2\r\n\r\nok"), 5, true)
	f.Add([]byte(okHead+"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 40, true)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 503\n\nno"), 30, false)
	f.Fuzz(func(t *testing.T, b []byte, cut int, body bool) {
		wants := httpWants{body: body}
		whole, complete, err := parseHTTP(b, true, wants)
		if !complete && err == nil {
			t.Errorf("at the end it is neither complete nor wrong: %+v", whole)
		}
		if len(whole.body) > maxHTTPBody || len(whole.header) > maxHTTPHead {
			t.Errorf("%d bytes of headers, %d of body", len(whole.header), len(whole.body))
		}
		if cut < 0 || cut >= len(b) {
			return
		}
		part, early, partErr := parseHTTP(b[:cut], false, wants)
		switch {
		case partErr != nil && err == nil:
			t.Errorf("the first %d bytes are wrong (%v), the whole is not", cut, partErr)
		case early && (part.status != whole.status || string(part.body) != string(whole.body)):
			t.Errorf("complete after %d bytes with %+v, but the whole is %+v", cut, part, whole)
		}
	})
}
