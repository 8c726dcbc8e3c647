package checks

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// HTTP is up when the target answers a request as expected. The connection is
// new for each probe, since a server that accepts none is not up.
type HTTP struct {
	Target      netip.AddrPort
	Route       Route
	TLS         *TLS     // nil is plain http
	Method      string   // empty is GET
	Path        string   // with the query; empty is /
	Host        string   // empty is the target's address
	Headers     []Header // in this order
	RequestBody string
	HTTP2       bool // HTTP/2 alone: by ALPN with TLS, by prior knowledge without (RFC 9113, section 3)
	Redirects   int  // how many are followed, to the same real server; else they are answers

	Status   []StatusRange // any of them is good; none given is 200-299
	Contains string        // what the body must hold in its first 64 KiB; empty is anything
	Matches  string        // regular expression (RE2) that its first 64 KiB must match
	JSON     JSON          // what the body must hold as JSON, of less than 64 KiB
	SHA256   string        // digest that the whole body must have, in hexadecimal, of less than 64 KiB; empty is any

	User     string // basic authentication (RFC 7617); empty is none
	Password string

	WeightHeader string // header of the answer with the weight that the server asks for; empty is none
	WeightBody   bool   // the first word of the body is that weight
	Proxy        Proxy  // header that begins the connection
}

// Header is one header line of a request.
type Header struct{ Name, Value string }

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ From, To int }

// String returns "200" or "200-299".
func (r StatusRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Kind returns "http" or "https".
func (p HTTP) Kind() string {
	if p.TLS != nil {
		return "https"
	}
	return "http"
}

// Key implements Probe.
func (p HTTP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p HTTP) Run(ctx context.Context) Observation {
	if d := p.dialog(); d != nil {
		return d.run(ctx)
	}
	return p.compile()(ctx)
}

// httpRunner is an HTTP probe with all made ready that is the same each time.
type httpRunner struct {
	HTTP
	request []byte
	wants   httpWants
	tls     *tlsClient // nil is plain http
	matches *regexp.Regexp
	broken  error // why the probe cannot be run
}

func (p HTTP) ready() *httpRunner {
	r := &httpRunner{HTTP: p, request: p.opening()}
	r.wants = httpWants{body: p.Contains != "" || p.Matches != "" || p.JSON.Path != "" || p.SHA256 != "" || p.WeightBody, head: p.Method == "HEAD"}
	if len(r.Status) == 0 {
		r.Status = []StatusRange{{200, 299}}
	}
	if p.TLS != nil {
		host, _, _ := strings.Cut(p.Host, ":")
		alpn := "http/1.1"
		if p.HTTP2 {
			alpn = http2.NextProtoTLS
		}
		r.tls = newTLSClient(*p.TLS, host, p.Target, alpn)
	}
	if p.Matches != "" {
		r.matches, r.broken = regexp.Compile(p.Matches)
	}
	return r
}

func (p HTTP) compile() runner { return p.ready().run }

// dialog returns the probe for a reactor, if it can be run there: plain HTTP/1,
// whose request the kernel takes at once.
func (p HTTP) dialog() *dialog {
	const fits = 2 << 10 // far below the send buffer of a new socket
	r := p.ready()
	if r.tls != nil || r.HTTP2 || r.Redirects > 0 || r.broken != nil || len(r.request) > fits {
		return nil
	}
	return newDialog(p.Target, p.Route, func() exchange { return &httpExchange{r: r} })
}

// opening is what is sent first: but for HTTP/2, and the PROXY header if TLS is
// to follow, all there is to send.
func (p HTTP) opening() []byte {
	var b []byte
	if p.TLS == nil {
		b = []byte(p.Proxy.header())
	}
	if p.HTTP2 {
		return b
	}
	return append(b, p.request()...)
}

// parts returns what a request is made of, with the defaults.
func (p HTTP) parts() (method, path string, headers []Header) {
	method, path, host := p.Method, p.Path, p.Host
	if method == "" {
		method = "GET"
	}
	if path == "" {
		path = "/"
	}
	if host == "" {
		host = p.Target.String()
		if p.TLS == nil && p.Target.Port() == 80 || p.TLS != nil && p.Target.Port() == 443 {
			host = strings.TrimSuffix(host, ":"+strconv.Itoa(int(p.Target.Port())))
		}
	}
	headers = []Header{{"Host", host}, {"User-Agent", "director"}, {"Accept", "*/*"}, {"Connection", "close"}}
	if p.User != "" {
		headers = append(headers, Header{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password))})
	}
	for _, h := range p.Headers {
		own := func(d Header) bool { return strings.EqualFold(d.Name, h.Name) }
		headers = deleteHeader(headers, own)
	}
	headers = append(headers, p.Headers...)
	if p.RequestBody != "" {
		headers = append(headers, Header{"Content-Length", strconv.Itoa(len(p.RequestBody))})
	}
	return method, path, headers
}

// request returns the request as it goes over the wire.
func (p HTTP) request() []byte {
	method, path, headers := p.parts()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n")
	b.WriteString(p.RequestBody)
	return b.Bytes()
}

func deleteHeader(headers []Header, match func(Header) bool) []Header {
	var kept []Header
	for _, h := range headers {
		if !match(h) {
			kept = append(kept, h)
		}
	}
	return kept
}

// run is for https and for what else a dialog cannot do.
func (r *httpRunner) run(ctx context.Context) Observation {
	a := newAttempt(ctx)
	if r.broken != nil {
		return Observation{Reason: r.broken.Error(), Ours: true}
	}
	for followed := 0; ; followed++ {
		seen, status, location := r.ask(ctx, a)
		switch {
		case location == "" || r.Redirects == 0:
			return seen
		case followed == r.Redirects:
			seen.Reason = fmt.Sprintf("http redirect to %s, after %d that were followed", shorten([]byte(location)), followed)
			return seen
		}
		next, problem := r.follow(status, location)
		if next == nil {
			seen.Reason = "http " + problem
			return seen
		}
		r = next
	}
}

// ask makes one request. If it was answered by a redirect, location says
// whither.
func (r *httpRunner) ask(ctx context.Context, a attempt) (seen Observation, status int, location string) {
	c, err := dial(ctx, r.Target, r.Route)
	if err != nil {
		return a.failed("connect", err), 0, ""
	}
	defer c.Close()
	var stream io.ReadWriter = c.File
	if r.tls != nil {
		if _, err := io.WriteString(c, r.Proxy.header()); err != nil {
			return a.failed("connect", err), 0, ""
		}
		secure, err := r.tls.handshake(c)
		if err != nil {
			return a.tlsFailed(err), 0, ""
		}
		if r.HTTP2 && secure.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
			return a.failed("tls", errors.New("the server offers no HTTP/2 (ALPN)")), 0, ""
		}
		stream = secure
	}
	end := r.converse(stream)
	return end.observation(a, "http"), end.status, end.location
}

// converse makes the request on a connection.
func (r *httpRunner) converse(stream io.ReadWriter) *verdict {
	if r.HTTP2 {
		return r.rate(r.askHTTP2(stream))
	}
	// A server may answer and close before it has read the request: what it
	// says is then of more use than that we could not write.
	_, unsent := stream.Write(r.request)
	buf := make([]byte, 0, 4<<10)
	for {
		buf = slices.Grow(buf, 1<<10)
		n, err := stream.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil && unsent != nil {
			err = unsent
		}
		if end := r.judge(buf, err); end != nil {
			return end
		}
	}
}

// httpExchange is one request and its answer.
type httpExchange struct {
	r    *httpRunner
	sent bool
	buf  []byte // what has come, if it was not all there at once
}

func (*httpExchange) verb() string { return "http" }

func (x *httpExchange) next(fd int, scratch []byte) *verdict {
	if !x.sent {
		// Never in parts: it fits.
		if _, err := rawSend(fd, x.r.request); err != nil && err != unix.EPIPE {
			return &verdict{err: os.NewSyscallError("send", err)}
		}
		x.sent = true
	}
	// Until nothing is left, since the poller tells only of what is new. That ends, as
	// what is longer than parseHTTP's bounds has a verdict. It is judged from its first
	// byte each time, so not again before there is twice as much, or no more for now: a
	// server whose bytes come one by one would else hold up all other probes.
	judged := len(x.buf)
	for {
		n, err := rawRead(fd, scratch)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && len(x.buf) == judged:
			return nil
		case err == unix.EAGAIN:
			return x.r.judge(x.buf, nil)
		case err != nil:
			return x.r.judge(x.buf, os.NewSyscallError("read", err))
		case n == 0:
			return x.r.judge(x.buf, io.EOF)
		}
		came := scratch[:n]
		if x.buf != nil {
			x.buf = append(x.buf, came...)
			came = x.buf
		}
		if len(came) < 2*judged {
			continue
		}
		if v := x.r.judge(came, nil); v != nil {
			return v
		}
		if x.buf == nil {
			x.buf = slices.Clone(came)
		}
		judged = len(came)
	}
}
