package checks

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of what a server can make us read.
const (
	maxHTTPHead = 32 << 10
	maxHTTPBody = 64 << 10
)

// httpAnswer is what a probe needs of an HTTP/1 response.
type httpAnswer struct {
	status int
	header []byte // the header lines, each ended by a line feed
	body   []byte // up to maxHTTPBody, chunks put together
}

var (
	errNotHTTP     = errors.New("answer is not HTTP")
	errHeadTooLong = fmt.Errorf("headers of more than %d bytes", maxHTTPHead)
	errChunk       = errors.New("malformed chunk")
)

// readHTTP reads one final response. Without wantBody it reads no further than
// the headers and what has come with them. The answer holds what was read
// even if an error is returned.
//
// It is not net/http, whose client costs ten times as much per request.
func readHTTP(r io.Reader, noBody, wantBody bool) (httpAnswer, error) {
	in := &window{r: r, buf: make([]byte, 0, 2<<10)}
	var a httpAnswer
	for {
		head, err := in.head()
		if err != nil {
			return a, err
		}
		if a.status, a.header, err = parseHead(head); err != nil {
			return a, err
		}
		// 1xx are interim answers, but for 101, after which no HTTP comes.
		if a.status >= 200 || a.status == 101 {
			break
		}
	}
	if !wantBody || noBody || a.status == 204 || a.status == 304 || a.status == 101 {
		return a, nil
	}
	var err error
	switch length, known := contentLength(a.header); {
	case chunked(a.header):
		a.body, err = in.chunks()
	case known:
		a.body, err = in.take(int(min(length, maxHTTPBody)))
	default:
		a.body, err = in.take(maxHTTPBody)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil // the end of the connection is the end of the body
		}
	}
	return a, err
}

// parseHead takes a response's status line and headers apart.
func parseHead(head []byte) (status int, header []byte, err error) {
	line, header, _ := bytes.Cut(head, []byte("\n"))
	version, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	if !bytes.HasPrefix(version, []byte("HTTP/1.")) || len(code) != 3 {
		return 0, nil, errNotHTTP
	}
	status, err = strconv.Atoi(string(code))
	if err != nil || status < 100 {
		return 0, nil, errNotHTTP
	}
	return status, header, nil
}

// field returns the value of the first header line with this name.
func field(header []byte, name string) (value []byte, ok bool) {
	for len(header) > 0 {
		var line []byte
		line, header, _ = bytes.Cut(header, []byte("\n"))
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && len(key) == len(name) && bytes.EqualFold(key, []byte(name)) {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}

func contentLength(header []byte) (n int64, known bool) {
	value, ok := field(header, "Content-Length")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil && n >= 0
}

func chunked(header []byte) bool {
	value, _ := field(header, "Transfer-Encoding")
	return bytes.HasSuffix(bytes.ToLower(value), []byte("chunked"))
}

// window is a reader that hands out parts of its buffer.
type window struct {
	r   io.Reader
	buf []byte // read and not yet handed out
}

// more reads once more. At the end of the stream it returns io.ErrUnexpectedEOF:
// whoever asks for more needs it.
func (w *window) more() error {
	if len(w.buf) == cap(w.buf) {
		bigger := make([]byte, len(w.buf), max(2*len(w.buf), 2<<10))
		copy(bigger, w.buf)
		w.buf = bigger
	}
	n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
	w.buf = w.buf[:len(w.buf)+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// head hands out everything up to the first empty line.
func (w *window) head() ([]byte, error) {
	searched := 0
	for {
		if end, next, ok := emptyLine(w.buf, searched); ok {
			head := w.buf[:end]
			w.buf = w.buf[next:]
			return head, nil
		}
		// An empty line may straddle what is read next.
		searched = max(0, len(w.buf)-3)
		if len(w.buf) >= maxHTTPHead {
			return nil, errHeadTooLong
		}
		if len(w.buf) >= 5 && string(w.buf[:5]) != "HTTP/" {
			return nil, errNotHTTP
		}
		if err := w.more(); err != nil {
			return nil, err
		}
	}
}

// emptyLine finds an empty line at or after from: where the lines before it
// end and what follows it begins.
func emptyLine(b []byte, from int) (end, next int, ok bool) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		end = from + i + 1
		switch rest := b[end:]; {
		case len(rest) >= 1 && rest[0] == '\n':
			return end, end + 1, true
		case len(rest) >= 2 && rest[0] == '\r' && rest[1] == '\n':
			return end, end + 2, true
		}
		from = end
	}
}

// take hands out n bytes, or with an error those there were.
func (w *window) take(n int) ([]byte, error) {
	for len(w.buf) < n {
		if err := w.more(); err != nil {
			part := w.buf
			w.buf = nil
			return part, err
		}
	}
	part := w.buf[:n:n]
	w.buf = w.buf[n:]
	return part, nil
}

// line hands out one line without its end.
func (w *window) line() ([]byte, error) {
	const longest = 1 << 10
	for {
		if i := bytes.IndexByte(w.buf, '\n'); i >= 0 {
			line := bytes.TrimRight(w.buf[:i], "\r")
			w.buf = w.buf[i+1:]
			return line, nil
		}
		if len(w.buf) > longest {
			return nil, errChunk
		}
		if err := w.more(); err != nil {
			return nil, err
		}
	}
}

// chunks hands out a chunked body, up to maxHTTPBody.
func (w *window) chunks() ([]byte, error) {
	var body []byte
	for {
		line, err := w.line()
		if err != nil {
			return body, err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 63)
		if err != nil {
			return body, errChunk
		}
		if n == 0 {
			return body, nil
		}
		part, err := w.take(int(min(n, uint64(maxHTTPBody-len(body)))))
		body = append(body, part...)
		if err != nil || len(body) == maxHTTPBody {
			return body, err
		}
		if end, err := w.line(); err != nil || len(end) != 0 {
			return body, cmp.Or(err, errChunk)
		}
	}
}
