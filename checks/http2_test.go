package checks

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a server that writes these frames once it has heard our preface.
func frames(write func(f *http2.Framer)) func(net.Conn) {
	return func(c net.Conn) {
		readUntil(c, http2.ClientPreface)
		write(http2.NewFramer(c, c))
		waitForEnd(c)
	}
}

// fields returns a compressed header.
func fields(pairs ...string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return b.Bytes()
}

func headersFrame(end bool, pairs ...string) http2.HeadersFrameParam {
	return http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(pairs...), EndHeaders: true, EndStream: end}
}

func TestHTTP2(t *testing.T) {
	status := func(code int) func(net.Conn) {
		return http2Server(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	echo := http2Server(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %d %s", r.Proto, r.Method, r.Host, r.URL, len(body), r.Header.Get("X-A"))
	})
	tests := []httpTest{
		{"request", echo, HTTP{Method: "POST", Host: "www.example.net", Path: "/a?b", RequestBody: strings.Repeat("x", MaxHTTP2Body), Headers: []Header{{"X-A", "1"}, {"Connection", "close"}},
			Contains: "HTTP/2.0 POST www.example.net /a?b 65535 1"}, "200", ""},
		{"long header", echo, HTTP{Headers: []Header{{"X-A", strings.Repeat("{~", 1<<14)}}}, "200", ""},
		{"head", http2Server(nil), HTTP{Method: "HEAD"}, "200", ""},
		{"interim, settings, ping", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WritePing(false, [8]byte{1})
			_ = f.WriteHeaders(headersFrame(false, ":status", "103"))
			_ = f.WriteHeaders(headersFrame(false, ":status", "200", "x-weight", "7"))
			_ = f.WriteData(1, false, []byte("o"))
			_ = f.WriteData(1, false, []byte("k"))
			_ = f.WriteHeaders(headersFrame(true, "trailer", "1"))
		}), HTTP{Matches: "^ok$"}, "200", ""},
		{"proxy header", func(c net.Conn) {
			readUntil(c, "PROXY UNKNOWN\r\nPRI * ")
			f := http2.NewFramer(c, c)
			_ = f.WriteSettings()
			_ = f.WriteHeaders(headersFrame(true, ":status", "204"))
			waitForEnd(c)
		}, HTTP{Proxy: 1}, "204", ""},

		{"wrong status", status(503), HTTP{}, "503", "http status 503, wanted 200-299"},
		{"wrong status, body never comes", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteHeaders(headersFrame(false, ":status", "500"))
		}), HTTP{Contains: "x"}, "500", "http status 500, wanted 200-299"},
		{"body never comes", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteHeaders(headersFrame(false, ":status", "200"))
		}), HTTP{Contains: "300ms"}, "200", "http: no answer in 300ms"},
		{"body lacks", http2Server(nil), HTTP{Contains: "good"}, "200", `http body does not contain "good"`},
		{"endless body", http2Server(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<12)); err != nil {
					return
				}
			}
		}), HTTP{Contains: "good"}, "200", `http body does not contain "good" in its first 65536 bytes`},
		{"endless header", http2Server(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 900 { // each counts 32 bytes more (RFC 9113, section 6.5.2)
				w.Header().Set(fmt.Sprintf("X-%d", i), "x")
			}
		}), HTTP{}, "", "http: headers of more than 32768 bytes"},
		{"endless header in pieces", http2Server(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		}), HTTP{}, "", "http: malformed HTTP/2: connection error: PROTOCOL_ERROR"},
		{"no status", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteHeaders(headersFrame(true, "x", "y"))
		}), HTTP{}, "", "http: malformed HTTP/2: no status"},
		{"body first", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteData(1, true, []byte("ok"))
		}), HTTP{}, "", "http: malformed HTTP/2: a body before its header"},
		{"refused", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream)
		}), HTTP{}, "", "http: request refused by the server: REFUSED_STREAM"},
		{"goes away", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
		}), HTTP{}, "", "http: the server goes away: ENHANCE_YOUR_CALM"},
		{"no settings", frames(func(f *http2.Framer) { _ = f.WriteHeaders(headersFrame(true, ":status", "200")) }), HTTP{}, "", "http: the server does not speak HTTP/2"},
		{"HTTP/1", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			waitForEnd(c)
		}, HTTP{}, "", "http: the server does not speak HTTP/2"},
		{"frame too large", frames(func(f *http2.Framer) {
			_ = f.WriteSettings()
			_ = f.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<15))
		}), HTTP{}, "", "http: malformed HTTP/2: http2: frame too large"},
	}
	for i := range tests {
		tests[i].probe.HTTP2 = true
	}
	testHTTP(t, tests)
}

// TestHTTP2Secure agrees on HTTP/2 by ALPN, or says that it cannot.
func TestHTTP2Secure(t *testing.T) {
	pair, ca := certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	tests := []struct {
		name, reason string
		alpn         []string
	}{
		{"offered", "", []string{"h2", "http/1.1"}},
		{"no ALPN", "tls: the server offers no HTTP/2 (ALPN)", nil},
		{"other protocols", "tls: refused by the server: no application protocol", []string{"http/1.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := serve(t, func(c net.Conn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: tt.alpn})
				if s.Handshake() == nil {
					// net/http would want to do the handshake itself.
					frames(func(f *http2.Framer) {
						_ = f.WriteSettings()
						_ = f.WriteHeaders(headersFrame(true, ":status", "200"))
					})(s)
				}
			})
			seen := runBothWays(t, HTTP{Target: target, HTTP2: true, TLS: &TLS{CAFile: ca}}, 20*time.Second)
			if seen.OK != (tt.reason == "") || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %q", seen, tt.reason)
			}
		})
	}
}

// FuzzHTTP2 lets a server say anything, and wants the same verdict whether it
// comes at once or in single bytes.
func FuzzHTTP2(f *testing.F) {
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	_ = w.WriteSettings()
	_ = w.WriteHeaders(headersFrame(false, ":status", "200", "location", "/x"))
	_ = w.WriteData(1, true, []byte("ok"))
	f.Add(b.Bytes())
	_ = w.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = w.WriteGoAway(0, 99, []byte("\x1b[2J"))
	f.Add(b.Bytes()[:9])
	f.Add(b.Bytes())
	r := HTTP{HTTP2: true, Contains: "ok"}.ready()
	ask := func(in io.Reader) Observation {
		v := r.converse(struct {
			io.Reader
			io.Writer
		}{in, io.Discard})
		seen := v.observation(attempt{begin: time.Now(), limit: time.Second}, "http")
		seen.Latency = 0
		return seen
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := ask(bytes.NewReader(b))
		wantSense(t, whole)
		if pieces := ask(iotest.OneByteReader(bytes.NewReader(b))); whole != pieces {
			t.Errorf("at once it is %+v, in pieces %+v", whole, pieces)
		}
	})
}
