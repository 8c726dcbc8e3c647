package checks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of what a server can make us read. All interim answers together may be
// as long as a head, and all that is between chunks as a body.
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
	errInterim     = fmt.Errorf("interim answers of more than %d bytes", maxHTTPHead)
	errChunk       = errors.New("malformed chunk")
	errChunkLines  = fmt.Errorf("more than %d bytes between chunks", maxHTTPBody)
)

// httpWants says how much of an answer a probe needs.
type httpWants struct {
	body bool // else no further than the headers
	head bool // the request was HEAD: there is no body
}

// parseHTTP takes the first final response apart that b, all that has come so
// far, begins with; end says that no more will come. It is complete when no
// more is needed. The answer aliases b, and holds what could be read even if
// an error is returned. Any b longer than all the bounds together is complete
// or wrong.
//
// It is not net/http, whose client costs many times as much per request.
func parseHTTP(b []byte, end bool, wants httpWants) (a httpAnswer, complete bool, err error) {
	for interim := 0; a.status < 200 && a.status != 101; { // 1xx are interim, but after 101 no HTTP comes
		if interim > maxHTTPHead {
			return httpAnswer{}, false, errInterim
		}
		head, rest, ok := cutHead(b)
		switch {
		case ok && len(head) > maxHTTPHead, !ok && len(b) > maxHTTPHead:
			return a, false, errHeadTooLong
		case !ok && len(b) >= 5 && string(b[:5]) != "HTTP/":
			return a, false, errNotHTTP
		case !ok && end:
			return a, false, io.ErrUnexpectedEOF
		case !ok:
			return a, false, nil
		}
		if a.status, a.header, err = parseHead(head); err != nil {
			return httpAnswer{}, false, err
		}
		interim += len(b) - len(rest)
		b = rest
	}
	if !wants.body || wants.head || a.status == 101 || a.status == 204 || a.status == 304 {
		return a, true, nil
	}
	if chunked(a.header) {
		a.body, complete, err = parseChunks(b)
	} else {
		length, known := contentLength(a.header)
		length = min(length, maxHTTPBody)
		if !known {
			// The end of the connection is the end of the body.
			length = maxHTTPBody
			complete = end
		}
		a.body = b[:min(length, len(b))]
		complete = complete || len(a.body) == length
	}
	if !complete && end && err == nil {
		err = io.ErrUnexpectedEOF
	}
	return a, complete, err
}

// cutHead cuts b after its first empty line.
func cutHead(b []byte) (head, rest []byte, ok bool) {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return nil, nil, false
		}
		from += i + 1
		switch rest := b[from:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return b[:from], rest[1:], true
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return b[:from], rest[2:], true
		}
	}
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

func contentLength(header []byte) (n int, known bool) {
	value, ok := field(header, "Content-Length")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(string(value))
	return n, err == nil && n >= 0
}

func chunked(header []byte) bool {
	value, _ := field(header, "Transfer-Encoding")
	return bytes.HasSuffix(bytes.ToLower(value), []byte("chunked"))
}

// parseChunks puts the chunks together that b begins with, up to maxHTTPBody.
func parseChunks(b []byte) (body []byte, complete bool, err error) {
	const longestLine = 1 << 10
	for between := 0; ; {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		between += len(line) + len("\n") + len("\r\n") // its end, and the chunk's
		switch {
		case len(line) > longestLine:
			return body, false, errChunk
		case between > maxHTTPBody:
			return body, false, errChunkLines
		case !ok:
			return body, false, nil
		}
		size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 63)
		if err != nil {
			return body, false, errChunk
		}
		if n == 0 {
			return body, true, nil
		}
		want := int(min(n, uint64(maxHTTPBody-len(body))))
		body = append(body, rest[:min(want, len(rest))]...)
		switch {
		case len(body) == maxHTTPBody:
			return body, true, nil
		case len(rest) < want+2:
			return body, false, nil
		case rest[want] == '\n':
			b = rest[want+1:]
		case string(rest[want:want+2]) == "\r\n":
			b = rest[want+2:]
		default:
			return body, false, errChunk
		}
	}
}
