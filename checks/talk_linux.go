package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// talk is a conversation with a server, for probes that say more than a dialog
// can. Its first failure ends it: then all further steps do nothing, and
// verdict says what it was.
type talk struct {
	attempt
	c      *conn
	stream io.ReadWriter // c, or TLS on it
	came   []byte        // read and not yet used
	verb   string        // what is being done, for a reason
	seen   Observation
	ended  bool
}

// maxAnswer is the most that a talk reads for one answer.
const maxAnswer = 64 << 10

// startTalk connects, by TLS if secure is not nil.
func startTalk(ctx context.Context, target netip.AddrPort, route Route, secure *tlsClient, verb string) *talk {
	t := &talk{attempt: newAttempt(ctx), verb: verb}
	c, err := dial(ctx, target, route)
	if err != nil {
		t.end(t.failed("connect", err))
		return t
	}
	t.c, t.stream = c, c.File
	if secure != nil {
		t.secure(secure)
	}
	return t
}

// startDatagrams is startTalk for UDP, where nothing is sent yet.
func startDatagrams(ctx context.Context, target netip.AddrPort, route Route, verb string) *talk {
	t := &talk{attempt: newAttempt(ctx), verb: verb}
	var fd int
	var err error
	way := wayOf(ctx)
	for range way.tries() {
		if fd, err = openSocket(unix.SOCK_DGRAM, target, route, way); !taken(err) {
			break
		}
	}
	if err != nil {
		t.end(t.failed("connect", err))
		return t
	}
	addr := rawAddress(target)
	if err := rawConnect(fd, &addr); err != nil {
		unix.Close(fd)
		t.end(t.failed("connect", os.NewSyscallError("connect", err)))
		return t
	}
	t.c = newConn(ctx, fd, target)
	t.stream = t.c.File
	return t
}

// secure goes on by TLS.
func (t *talk) secure(client *tlsClient) {
	if t.ended {
		return
	}
	stream, err := client.handshake(t.c)
	if err != nil {
		t.end(t.tlsFailed(err))
		return
	}
	t.stream = stream
}

// verdict closes the connection and says how it went.
func (t *talk) verdict() Observation {
	if t.c != nil {
		t.c.Close()
	}
	if !t.ended {
		t.seen.OK = true
	}
	t.seen.Latency = max(t.seen.Latency, time.Since(t.begin))
	return t.seen
}

func (t *talk) end(seen Observation) {
	if !t.ended {
		status := t.seen.Status
		t.seen, t.ended = seen, true
		if t.seen.Status == "" {
			t.seen.Status = status
		}
	}
}

// fail ends the talk for a reason of the server's.
func (t *talk) fail(format string, args ...any) {
	t.end(Observation{Reason: t.verb + ": " + fmt.Sprintf(format, args...)})
}

// broken ends the talk for an error of the connection.
func (t *talk) broken(err error) {
	if errors.Is(err, unix.ECONNREFUSED) {
		t.fail("port unreachable") // only datagrams hear of it as late as this
		return
	}
	t.end(t.failed(t.verb, err))
}

func (t *talk) send(b string) {
	if t.ended || b == "" {
		return
	}
	if _, err := io.WriteString(t.stream, b); err != nil {
		t.broken(err)
	}
}

// read reads once more.
func (t *talk) read() error {
	t.came = slices.Grow(t.came, 2<<10)
	n, err := t.stream.Read(t.came[len(t.came):cap(t.came)])
	t.came = t.came[:len(t.came)+n]
	if n > 0 {
		return nil
	}
	return err
}

// take waits until n bytes have come and hands them out.
func (t *talk) take(n int) []byte {
	for !t.ended && len(t.came) < n {
		if err := t.read(); err != nil {
			t.broken(err)
		}
	}
	if t.ended {
		return make([]byte, n)
	}
	b := t.came[:n:n]
	t.came = t.came[n:]
	return b
}

// line waits for a line and returns it without its end.
func (t *talk) line() string {
	const longest = 8 << 10
	for !t.ended {
		i := slices.Index(t.came, '\n')
		if i >= 0 && i <= longest {
			line := strings.TrimRight(string(t.came[:i]), "\r")
			t.came = t.came[i+1:]
			return line
		}
		if i >= 0 || len(t.came) > longest {
			t.fail("a line of more than %d bytes", longest)
			break
		}
		if err := t.read(); err != nil {
			t.broken(err)
		}
	}
	return ""
}

// shorten is what of an answer fits in a reason.
func shorten(b []byte) string {
	const longest = 60
	if len(b) > longest {
		return strconv.QuoteToASCII(string(b[:longest])) + "…"
	}
	return strconv.QuoteToASCII(string(b))
}
