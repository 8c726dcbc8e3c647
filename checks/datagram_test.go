package checks

import (
	"crypto/md5"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// serveDatagrams answers each datagram to a loopback port with what f returns;
// nil is silence.
func serveDatagrams(t *testing.T, f func(b []byte) []byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return answerDatagrams(t, c, f)
}

// answerDatagrams answers each datagram to c until the test ends.
func answerDatagrams(t *testing.T, c net.PacketConn, f func(b []byte) []byte) netip.AddrPort {
	t.Helper()
	var loop sync.WaitGroup
	loop.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := f(buf[:n]); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		loop.Wait()
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// closedUDP is a loopback port that nobody listens on.
func closedUDP(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestDatagrams(t *testing.T) {
	const secret = "s3cret"
	sip := func(status string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte("SIP/2.0 " + status + "\r\n" + string(b)) }
	}
	radius := func(code byte, key string) func([]byte) []byte {
		return func(b []byte) []byte {
			answer := append([]byte{code, b[1], 0, radiusHead}, b[4:radiusHead]...)
			sum := md5.Sum(append(answer, key...))
			copy(answer[4:], sum[:])
			return answer
		}
	}
	udp := func(e Expect) func(netip.AddrPort) Probe {
		return func(a netip.AddrPort) Probe { return UDP{Target: a, Send: "ping", Expect: e} }
	}
	ask := func(p DNS) func(netip.AddrPort) Probe {
		p.Name = "example.net"
		return func(a netip.AddrPort) Probe { p.Target = a; return p }
	}
	options := func(a netip.AddrPort) Probe { return SIP{Target: a, User: "ping"} }
	state := func(a netip.AddrPort) Probe { return Radius{Target: a, Secret: secret} }
	login := func(a netip.AddrPort) Probe {
		return Radius{Target: a, Secret: secret, User: "check", Password: "a password of more than sixteen"}
	}
	const cdn = "\x03cdn\xc0\x0c" // .example.net, as in the question
	silence := func([]byte) []byte { return nil }
	garbage := func([]byte) []byte { return []byte("\x00\xff garbage") }
	tests := []struct {
		name   string
		server func([]byte) []byte
		probe  func(netip.AddrPort) Probe
		reason string
	}{
		{"udp, answer", func(b []byte) []byte { return append([]byte("pong "), b...) }, udp(Expect{Contains: "pong ping"}), ""},
		{"udp, wrong answer", garbage, udp(Expect{Contains: "pong"}), `udp: wanted "pong", got "\x00\xff garbage"`},
		{"udp, no answer", silence, udp(Expect{Contains: "pong"}), "udp: no answer in 300ms"},
		{"udp, nobody", nil, udp(Expect{Contains: "pong"}), "udp: port unreachable"},
		{"udp, silence is fine", silence, func(a netip.AddrPort) Probe { return UDP{Target: a, Send: "300ms"} }, ""},
		{"udp, nobody, nothing expected", nil, udp(Expect{}), "udp: port unreachable"},

		{"dns", dnsAnswer(0, "192.0.2.7", "192.0.2.8"), ask(DNS{Answer: []string{"192.0.2.8"}}), ""},
		{"dns, no such name is fine", dnsAnswer(3), ask(DNS{Empty: true}), ""},
		{"dns, no such name", dnsAnswer(3), ask(DNS{}), "dns: answer is NXDOMAIN, wanted NOERROR"},
		{"dns, refused", dnsAnswer(5), ask(DNS{Empty: true}), "dns: answer is REFUSED, wanted NOERROR"},
		{"dns, other number", func(b []byte) []byte { b = dnsAnswer(0)(b); b[0] ^= 1; return b }, ask(DNS{}), "dns: no answer in 300ms"},
		{"dns, echo", func(b []byte) []byte { return b }, ask(DNS{}), "dns: the question came back"},
		{"dns, garbage", func(b []byte) []byte { return append(b[:2:2], "\x80"...) }, ask(DNS{}), "dns: malformed answer: unpacking header: "},
		{"dns, cut", func(b []byte) []byte { b = dnsAnswer(0, "192.0.2.7")(b); return b[:len(b)-3] }, ask(DNS{}), "dns: malformed answer: unpacking Answer: "},
		{"dns, nobody", nil, ask(DNS{}), "dns: port unreachable"},
		{"dns, no answer", silence, ask(DNS{}), "dns: no answer in 300ms"},

		{"dns, other type", dnsRecord(257, "\x00\x05issueca.example"), ask(DNS{Type: "caa", Answer: []string{`\# 17 000569737375 6563612E6578616D706C65`}}), ""},
		{"dns, type by number", dnsRecord(65280, ""), ask(DNS{Type: "TYPE65280", Answer: []string{`\# 0`}}), ""},
		{"dns, HTTPS", dnsRecord(65, "\x00\x01\x00"), ask(DNS{Type: "HTTPS", Answer: []string{`\# 3 000100`}}), ""},
		{"dns, other data", dnsRecord(257, "\x00"), ask(DNS{Type: "CAA", Answer: []string{`\# 1 01`}}), `dns: answer has no \# 1 01, but \# 1 00`},
		{"dns, no record of the type", dnsRecord(0, ""), ask(DNS{Type: "TYPE257"}), "dns: no TYPE257 record of example.net"},

		{"dns, only an alias", dnsAlias(cdn), ask(DNS{}), "dns: no A record of example.net, only an alias (CNAME) to cdn.example.net"},
		{"dns, only aliases", dnsAlias("\x03www\xc0\x0c", cdn), ask(DNS{Type: "aaaa"}), "dns: no AAAA record of example.net, only an alias (CNAME) to cdn.example.net"},
		{"dns, the alias is wanted data of another type", dnsAlias(cdn), ask(DNS{Answer: []string{"cdn.example.net"}}), "dns: no A record of example.net, only an alias"},
		{"dns, an alias and its end", func(b []byte) []byte { return dnsAlso(dnsAlias(cdn)(b), 1, "\xc0\x00\x02\x07") }, ask(DNS{Answer: []string{"192.0.2.7", "cdn.example.net"}}), ""},
		{"dns, the alias is asked for", dnsAlias(cdn), ask(DNS{Type: "CNAME"}), ""},
		{"dns, anything is asked for", dnsAlias(cdn), ask(DNS{Type: "ANY"}), ""},
		{"dns, an alias to nothing is fine", dnsAlias(cdn), ask(DNS{Empty: true}), ""},

		{"sip", sip("200 OK"), options, ""},
		{"sip, busy", sip("503 Busy"), options, "sip: status 503, wanted 200"},
		{"sip, garbage", func(b []byte) []byte { return append([]byte("HELLO\r\n"), b...) }, options, "sip: answer is not SIP"},
		{"sip, only provisional", sip("100 Trying"), options, "sip: no answer in 300ms"},
		{"sip, nobody", nil, options, "sip: port unreachable"},

		{"radius, status", radius(radiusAccept, secret), state, ""},
		{"radius, user", radius(radiusAccept, secret), login, ""},
		{"radius, rejected", radius(radiusReject, secret), login, "radius: user rejected"},
		{"radius, challenged", radius(radiusChallenge, secret), login, "radius: user is asked for more than a password"},
		{"radius, other secret", radius(radiusAccept, "other"), login, "radius: answer is signed with another secret"},
		{"radius, other code", radius(40, secret), login, "radius: answer has code 40"},
		{"radius, cut", func(b []byte) []byte { return b[:3] }, state, "radius: malformed answer"},
		{"radius, no answer", silence, state, "radius: no answer in 300ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var target netip.AddrPort
			if tt.server == nil {
				target = closedUDP(t)
			} else {
				target = serveDatagrams(t, tt.server)
			}
			limit := limitFor(tt.reason)
			if strings.Contains(tt.name, "silence") {
				limit = 300 * time.Millisecond
			}
			seen := runBothWays(t, tt.probe(target), limit)
			if seen.OK != (tt.reason == "") || !strings.HasPrefix(seen.Reason, tt.reason) {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
}

// TestRadiusPassword holds the example of RFC 2865, section 7.1.
func TestRadiusPassword(t *testing.T) {
	authenticator := [16]byte{0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a}
	got := Radius{Secret: "xyzzy5461", Password: "arctangent"}.hidePassword(authenticator)
	want := "\x0d\xbe\x70\x8d\x93\xd4\x13\xce\x31\x96\xe4\x3f\x78\x2a\x0a\xee"
	if string(got) != want {
		t.Errorf("got % x, want % x", got, want)
	}
}

func FuzzDNSJudge(f *testing.F) {
	p, picky := DNS{Name: "example.net"}, DNS{Name: "example.net", Answer: []string{"192.0.2.7"}}
	question, err := p.question()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dnsAnswer(0, "192.0.2.7")(question))
	f.Add(dnsAnswer(3)(question))
	f.Add(dnsRecord(1, "\x00")(question))
	other, err := DNS{Name: "example.net", Type: "TXT"}.question()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dnsRecord(16, "\x05\x1b[2J\n")(other))
	f.Add(dnsRecord(65, "\x00\x01\x00")(other))
	f.Add(dnsAlias("\x03cdn\xc0\x0c")(question))
	f.Fuzz(func(t *testing.T, b []byte) {
		problem := picky.judge(b, question)
		wantSense(t, Observation{OK: problem == "", Reason: problem})
		if problem = p.judge(b, question); problem == "" && (len(b) < 12 || b[2]&0x80 == 0 || b[3]&0x0f != 0) {
			t.Errorf("% x is taken for a good answer", b)
		}
	})
}

func FuzzRadius(f *testing.F) {
	p := Radius{Secret: "s", User: "u"}
	request := p.request(1, [16]byte{})
	f.Add([]byte("\x02\x01\x00\x14aaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p.problem(b, request) == "" && b[0] != radiusAccept {
			t.Errorf("% x is taken for a good answer", b)
		}
	})
}

func FuzzSIP(f *testing.F) {
	f.Add([]byte("SIP/2.0 200 OK\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if status, problem := parseSIP(b); problem == "" && len(status) < 3 {
			t.Errorf("status %q of %q", status, b)
		}
	})
}

// A type that no question can have is said, and not asked as another.
func TestDNSTypeUnknown(t *testing.T) {
	seen := DNS{Target: netip.MustParseAddrPort("127.0.0.1:53"), Name: "example.net", Type: "AXFR"}.Run(t.Context())
	if want := `dns: type "AXFR": want the name of a type of records, or TYPE and its number`; seen.OK || !seen.Ours || seen.Reason != want {
		t.Errorf("saw %+v, want %q", seen, want)
	}
}

// Who comes to look only when the time is up still learns whether there was a
// sign.
func TestSilenceLate(t *testing.T) {
	for reason, target := range map[string]netip.AddrPort{
		"":                      serveDatagrams(t, func([]byte) []byte { return nil }),
		"udp: port unreachable": closedUDP(t),
	} {
		ctx, cancel := WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		u := startDatagrams(ctx, target, Route{}, "udp")
		u.send("x")
		u.begin = u.begin.Add(-time.Hour)
		u.silence()
		if seen := u.verdict(); seen.OK != (reason == "") || seen.Reason != reason {
			t.Errorf("saw %+v, want %q", seen, reason)
		}
	}
}
