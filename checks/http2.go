package checks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// MaxHTTP2Body is the longest body of a request by HTTP/2, in bytes: what a
// server takes before it has said how much more it would (RFC 9113, section
// 6.9.2).
const MaxHTTP2Body = 1<<16 - 1

var errNotHTTP2 = errors.New("the server does not speak HTTP/2")

// http2Talk is one request by HTTP/2, on stream 1, and its answer. It is not
// net/http, whose connections have goroutines that outlive a probe.
type http2Talk struct {
	out    *bufio.Writer
	framer *http2.Framer
	wants  httpWants
	wanted func(status int) bool // else nothing after the status matters
	answer httpAnswer
}

// askHTTP2 makes the request and reads as much of the answer as is needed. What
// a server says is of more use than that we could not write.
func (r *httpRunner) askHTTP2(stream io.ReadWriter) (a httpAnswer, complete bool, err error) {
	t := &http2Talk{out: bufio.NewWriter(stream), wants: r.wants, wanted: r.wanted}
	t.framer = http2.NewFramer(t.out, stream)
	t.framer.SetMaxReadFrameSize(1 << 14) // as we announce by saying nothing
	t.framer.MaxHeaderListSize = maxHTTPHead
	t.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, _ = t.out.Write(r.request) // the PROXY header
	unsent := t.request(r.HTTP)
	complete, err = t.read()
	if err != nil && unsent != nil && t.answer.status == 0 {
		err = unsent
	}
	return t.answer, complete, err
}

// request writes the preface, our settings and the request.
func (t *http2Talk) request(p HTTP) error {
	const frame = 1 << 14 // the longest that every server takes
	body := []byte(p.RequestBody)
	fields := p.http2Fields()
	_, _ = t.out.WriteString(http2.ClientPreface) // an error of out comes back at Flush
	err := errors.Join(
		t.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 2 * maxHTTPBody}),
		t.framer.WriteWindowUpdate(0, 2*maxHTTPBody),
		t.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: fields[:min(frame, len(fields))], EndStream: len(body) == 0, EndHeaders: len(fields) <= frame,
		}))
	for fields = fields[min(frame, len(fields)):]; len(fields) > 0; fields = fields[min(frame, len(fields)):] {
		err = errors.Join(err, t.framer.WriteContinuation(1, len(fields) <= frame, fields[:min(frame, len(fields))]))
	}
	for part := range slices.Chunk(body, frame) {
		body = body[len(part):]
		err = errors.Join(err, t.framer.WriteData(1, len(body) == 0, part))
	}
	return errors.Join(err, t.out.Flush())
}

// http2Fields returns the header of the request, compressed.
func (p HTTP) http2Fields() []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	add := func(name, value string) {
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) // to memory
	}
	method, path, headers := p.parts()
	var host string
	headers = deleteHeader(headers, func(h Header) bool {
		if strings.EqualFold(h.Name, "Host") {
			host = h.Value
			return true
		}
		return false
	})
	scheme := "http"
	if p.TLS != nil {
		scheme = "https"
	}
	add(":method", method)
	add(":scheme", scheme)
	add(":authority", host)
	add(":path", path)
	for _, h := range headers {
		switch name := strings.ToLower(h.Name); name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": // RFC 9113, section 8.2.2
		default:
			add(name, h.Value)
		}
	}
	return b.Bytes()
}

// read reads frames until no more is needed.
func (t *http2Talk) read() (complete bool, err error) {
	for first := true; ; first = false {
		frame, err := t.framer.ReadFrame()
		_, settings := frame.(*http2.SettingsFrame)
		switch {
		case err != nil && first && !ofConnection(err), err == nil && first && !settings: // RFC 9113, section 3.4
			return false, errNotHTTP2
		case err != nil && !ofConnection(err):
			return false, fmt.Errorf("malformed HTTP/2: %w", err)
		case err != nil:
			return false, err
		}
		if complete, err = t.take(frame); complete || err != nil {
			return complete, err
		}
	}
}

// ofConnection reports whether err is of the connection, not of what came.
func ofConnection(err error) bool {
	_, stream := errors.AsType[http2.StreamError](err)
	_, connection := errors.AsType[http2.ConnectionError](err)
	return !stream && !connection && !errors.Is(err, http2.ErrFrameTooLarge)
}

// take deals with one frame.
func (t *http2Talk) take(frame http2.Frame) (complete bool, err error) {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			t.reply(t.framer.WriteSettingsAck())
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			t.reply(t.framer.WritePing(true, f.Data))
		}
	case *http2.GoAwayFrame:
		if f.LastStreamID < 1 || f.ErrCode != http2.ErrCodeNo {
			return false, fmt.Errorf("the server goes away: %v", f.ErrCode)
		}
	case *http2.RSTStreamFrame:
		return false, fmt.Errorf("request refused by the server: %v", f.ErrCode)
	case *http2.MetaHeadersFrame:
		return t.header(f)
	case *http2.DataFrame:
		if t.answer.status < 200 {
			return false, errors.New("malformed HTTP/2: a body before its header")
		}
		t.answer.body = append(t.answer.body, f.Data()...)
		if len(t.answer.body) >= maxHTTPBody {
			t.answer.body = t.answer.body[:maxHTTPBody]
			return true, nil
		}
		return f.StreamEnded(), nil
	}
	return false, nil
}

// reply sends what was written. If that fails reading will, too, and say why.
func (t *http2Talk) reply(error) { _ = t.out.Flush() }

// header takes a header: interim, final, or that after the body.
func (t *http2Talk) header(f *http2.MetaHeadersFrame) (complete bool, err error) {
	a := &t.answer
	if a.status >= 200 {
		return f.StreamEnded(), nil
	}
	if f.Truncated {
		return false, errHeadTooLong
	}
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil || status < 100 || status > 999 {
		return false, errors.New("malformed HTTP/2: no status")
	}
	a.status = status
	if status < 200 {
		return false, nil
	}
	for _, field := range f.RegularFields() {
		a.header = append(append(append(append(a.header, field.Name...), ": "...), field.Value...), '\n')
	}
	enough := !t.wants.body || t.wants.head || status == 204 || status == 304 || !t.wanted(status)
	return enough || f.StreamEnded(), nil
}
