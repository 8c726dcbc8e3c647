package checks

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestParseHTTPBounds wants what is longer than the bounds to be wrong, and what is
// not to be good.
func TestParseHTTPBounds(t *testing.T) {
	const interim, chunks = "HTTP/1.1 100 Continue\r\n\r\n", okHead + "Transfer-Encoding: chunked\r\n\r\n"
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name, answer string
		want         error // nil is complete
	}{
		{"interim answers", strings.Repeat(interim, maxHTTPHead/len(interim)) + okHead + "Content-Length: 0\r\n\r\n", nil},
		{"too many interim answers", strings.Repeat(interim, maxHTTPHead/len(interim)+1) + okHead + "\r\n", errInterim},
		{"long interim answer", "HTTP/1.1 100 " + strings.Repeat("x", maxHTTPHead) + "\r\n\r\n", errHeadTooLong},
		{"small chunks", chunks + strings.Repeat("1\r\nx\r\n", 10000) + "0\r\n", nil},
		{"too many small chunks", chunks + strings.Repeat("1\r\nx\r\n", 14000) + "0\r\n", errChunkLines},
		{"extension", chunks + "2;" + long + "\r\nok\r\n0\r\n", nil},
		{"long extension", chunks + "2;" + long + long + "\r\nok\r\n0\r\n", errChunk},
		{"too many extensions", chunks + strings.Repeat("2;"+long+"\r\nok\r\n", 70), errChunkLines},
		{"extension without an end", chunks + "2;" + long + long, errChunk},
	}
	for _, tt := range tests {
		a, complete, err := parseHTTP([]byte(tt.answer), false, httpWants{body: true})
		if complete != (tt.want == nil) || !errors.Is(err, tt.want) {
			t.Errorf("%s: complete %v, status %d, %d bytes, %v, want %v", tt.name, complete, a.status, len(a.body), err, tt.want)
		}
	}
}

// TestHTTPPieces wants an answer that lies there in many pieces to be judged a few
// times, not once for each: by what that allocates.
func TestHTTPPieces(t *testing.T) {
	const pieces = 100
	r := HTTP{Contains: "good"}.ready()
	scratch := make([]byte, scratchSize)
	allocated := testing.AllocsPerRun(1, func() {
		// Packets, since what is read of a stream may be any number of pieces.
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ends[0])
		defer unix.Close(ends[1])
		send := func(s string) {
			if _, err := rawSend(ends[1], []byte(s)); err != nil {
				t.Fatal(err)
			}
		}
		x := &httpExchange{r: r}
		send(okHead + "Transfer-Encoding: chunked\r\n\r\n")
		for range pieces {
			send("2\r\nno\r\n")
		}
		if end := x.next(ends[0], scratch); end != nil {
			t.Errorf("verdict %+v before the end", end)
		}
		send("4\r\ngood\r\n0\r\n")
		if end := x.next(ends[0], scratch); end == nil || !end.seen.OK {
			t.Errorf("verdict %+v at the end", end)
		}
	})
	if allocated > 3*pieces {
		t.Errorf("%v allocations for %d pieces", allocated, pieces)
	}
}
