package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
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

	Status   []StatusRange // any of them is good; none given is 200-299
	Contains string        // what the body must hold; empty is anything
	Matches  string        // regular expression (RE2) that the body must match
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
func (p HTTP) Run(ctx context.Context) Observation { return p.compile()(ctx) }

// httpRunner is an HTTP probe with all made ready that is the same each time.
type httpRunner struct {
	HTTP
	request []byte
	tls     *tlsClient // nil is plain http
	matches *regexp.Regexp
	broken  error // why the probe cannot be run
}

func (p HTTP) compile() runner {
	r := &httpRunner{HTTP: p, request: p.request()}
	if len(r.Status) == 0 {
		r.Status = []StatusRange{{200, 299}}
	}
	if p.TLS != nil {
		host, _, _ := strings.Cut(p.Host, ":")
		r.tls = newTLSClient(*p.TLS, host, p.Target, "http/1.1")
	}
	if p.Matches != "" {
		r.matches, r.broken = regexp.Compile(p.Matches)
	}
	return r.run
}

// request returns the request as it goes over the wire.
func (p HTTP) request() []byte {
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
	headers := []Header{{"Host", host}, {"User-Agent", "director"}, {"Accept", "*/*"}, {"Connection", "close"}}
	for _, h := range p.Headers {
		own := func(d Header) bool { return strings.EqualFold(d.Name, h.Name) }
		headers = deleteHeader(headers, own)
	}
	headers = append(headers, p.Headers...)
	if p.RequestBody != "" {
		headers = append(headers, Header{"Content-Length", strconv.Itoa(len(p.RequestBody))})
	}
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

func (r *httpRunner) run(ctx context.Context) Observation {
	begin := time.Now()
	if r.broken != nil {
		return Observation{Reason: r.broken.Error(), Latency: time.Since(begin), Ours: true}
	}
	c, err := dial(ctx, r.Target, r.Route)
	if err != nil {
		return failed(ctx, begin, "connect", err)
	}
	defer c.Close()
	var stream io.ReadWriter = c.File
	if r.tls != nil {
		if stream, err = r.tls.handshake(c); err != nil {
			return tlsFailed(ctx, begin, err)
		}
	}
	// A server may answer and close before it has read the request: what it
	// says is then of more use than that we could not write.
	_, unsent := stream.Write(r.request)
	answer, err := readHTTP(stream, r.Method == "HEAD", r.Contains != "" || r.matches != nil)
	if answer.status == 0 && unsent != nil && !errors.Is(err, errNotHTTP) {
		err = unsent
	}
	seen := r.judge(answer, err)
	if seen.Reason == "" && !seen.OK {
		seen = failed(ctx, begin, "http", err)
		if answer.status != 0 {
			seen.Status = strconv.Itoa(answer.status)
		}
	}
	seen.Latency = time.Since(begin)
	return seen
}

// judge compares an answer with what is expected of it. An error while reading
// matters only if what came before it does not decide; then the observation
// has no reason.
func (r *httpRunner) judge(a httpAnswer, err error) Observation {
	if a.status == 0 {
		return Observation{}
	}
	seen := Observation{Status: strconv.Itoa(a.status)}
	if !r.wanted(a.status) {
		seen.Reason = fmt.Sprintf("http status %d, wanted %s", a.status, r.ranges())
		return seen
	}
	switch {
	case err != nil:
		return Observation{}
	case !bytes.Contains(a.body, []byte(r.Contains)):
		seen.Reason = fmt.Sprintf("http body does not contain %q", r.Contains)
	case r.matches != nil && !r.matches.Match(a.body):
		seen.Reason = fmt.Sprintf("http body does not match %q", r.Matches)
	default:
		seen.OK = true
	}
	return seen
}

func (r *httpRunner) wanted(status int) bool {
	for _, s := range r.Status {
		if s.From <= status && status <= s.To {
			return true
		}
	}
	return false
}

func (r *httpRunner) ranges() string {
	words := make([]string, len(r.Status))
	for i, s := range r.Status {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}
