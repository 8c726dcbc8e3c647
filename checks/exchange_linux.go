package checks

import (
	"context"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// dialog is a probe in the form that a reactor runs without a goroutine for
// each: where to connect, and what is then said.
type dialog struct {
	target netip.AddrPort
	route  Route
	begin  func() exchange

	addr address
}

func newDialog(target netip.AddrPort, route Route, begin func() exchange) *dialog {
	return &dialog{target: target, route: route, begin: begin, addr: rawAddress(target)}
}

// exchange is one conversation on a connected non-blocking socket.
type exchange interface {
	// next goes on as far as it can without waiting. It is called when the
	// connection stands and again whenever the socket may be ready, sometimes
	// without need. It returns nil to wait for more, or the verdict, in which
	// the latency is the caller's to fill in. What it reads it may read into
	// scratch, which is another's after the return.
	next(fd int, scratch []byte) *verdict

	// verb says what is being done, for a reason: "connect", "http".
	verb() string
}

// verdict is how an exchange ended: with an error, or else with what was seen.
type verdict struct {
	seen Observation
	err  error

	status   int    // of an HTTP answer that leads to
	location string // another address
}

// open starts to connect, on the way if the route goes one.
func (d *dialog) open(way *Way) (fd int, err error) {
	for range way.tries() {
		if fd, err = d.openOnce(way); !taken(err) {
			break
		}
	}
	return fd, err
}

func (d *dialog) openOnce(way *Way) (fd int, err error) {
	fd, err = openSocket(unix.SOCK_STREAM, d.target, d.route, way)
	if err != nil {
		return -1, err
	}
	// Without this the kernel sends an empty packet to end the handshake at
	// once. With it, what we send next (a request, or FIN) ends the handshake
	// too: one packet less of seven.
	_ = rawSetInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
	if err := rawConnect(fd, &d.addr); err != nil && err != unix.EINPROGRESS {
		rawClose(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// run holds the dialog on Go's poller, for those who run one probe.
func (d *dialog) run(ctx context.Context) Observation {
	a := newAttempt(ctx)
	fd, err := d.open(wayOf(ctx))
	if err != nil {
		return a.failed("connect", err)
	}
	c := newConn(ctx, fd, d.target)
	defer c.Close()
	if err := c.connected(); err != nil {
		return a.failed("connect", err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return a.failed("connect", err)
	}
	ex := d.begin()
	scratch := make([]byte, scratchSize)
	var end *verdict
	// Only reading may have to wait: a request fits in an empty send buffer.
	err = raw.Read(func(fd uintptr) bool {
		end = ex.next(int(fd), scratch)
		return end != nil
	})
	if end == nil {
		end = &verdict{err: err}
	}
	return end.observation(a, ex.verb())
}

// observation completes what was seen in the attempt a.
func (v *verdict) observation(a attempt, verb string) Observation {
	seen := v.seen
	if v.err != nil {
		seen = a.failed(verb, v.err)
		seen.Status = v.seen.Status
	}
	seen.Latency = time.Since(a.begin)
	return seen
}
