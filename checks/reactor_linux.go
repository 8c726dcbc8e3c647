package checks

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/deadline"
	"github.com/lvs-director/director/internal/poller"
)

// reactor holds many dialogs in the goroutine of its user. With a goroutine for
// each probe, at thousands a second, waking them and Go's threads costs more than
// the probes.
type reactor struct {
	poller    *poller.Poller
	calls     map[int]*dialogCall // by descriptor
	deadlines deadline.Queue[*dialogCall]
	ended     []ending
	scratch   []byte
}

// dialogCall is one dialog in flight.
type dialogCall struct {
	deadline.Entry // in deadlines

	entry    *entry
	dialog   *dialog
	way      *Way // nil unless the dialog's route goes one
	timeout  time.Duration
	fd       int
	begin    time.Time
	exchange exchange // nil until the connection stands
}

// ending is a probe that is over.
type ending struct {
	entry *entry
	begin time.Time
	seen  Observation
}

// scratchSize is what an exchange reads at once.
const scratchSize = 16 << 10

func newReactor() (r *reactor, err error) {
	r = &reactor{calls: make(map[int]*dialogCall), scratch: make([]byte, scratchSize)}
	r.poller, err = poller.New(r.ready)
	return r, err
}

// close ends all dialogs without a verdict.
func (r *reactor) close() {
	for fd := range r.calls {
		rawClose(fd)
	}
	r.poller.Close()
}

// start begins dialogs. Between them it looks for what has ended, so that many
// at once do not make each other's latency look longer than it is.
func (r *reactor) start(calls []*dialogCall) {
	const atOnce = 8
	for some := range slices.Chunk(calls, atOnce) {
		for _, call := range some {
			r.open(call)
		}
		for _, call := range some {
			if call.fd >= 0 {
				r.meet(call)
			}
		}
		r.poller.Look()
	}
}

// open begins to connect.
func (r *reactor) open(call *dialogCall) {
	call.begin = time.Now()
	fd, err := call.dialog.open(call.way)
	if err != nil {
		call.fd = -1
		r.ended = append(r.ended, ending{call.entry, call.begin, call.attempt().failed("connect", err)})
		return
	}
	call.fd = fd
	r.calls[fd] = call
	r.deadlines.Set(call, call.begin.Add(call.timeout))
}

// meet looks whether a connection stands already: on a fast network it does by
// the time that some others have been begun. What can end at once is spared the
// epoll, which costs as much as connecting.
func (r *reactor) meet(call *dialogCall) {
	// A second connect(2) tells whether it stands and, if not, why.
	switch err := rawConnect(call.fd, &call.dialog.addr); err {
	case unix.EALREADY, unix.EINPROGRESS:
	case nil, unix.EISCONN:
		call.exchange = call.dialog.begin()
		if r.goOn(call) {
			return
		}
	default:
		r.finish(call, call.attempt().failed("connect", os.NewSyscallError("connect", err)))
		return
	}
	// Edge-triggered for both ways: one call for the life of the socket.
	if err := r.poller.Add(call.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET); err != nil {
		r.finish(call, call.attempt().failed("connect", err))
	}
}

// wait returns what has ended, as soon as something has; or nothing when until
// is reached or wake was called. What it returns is good until it is called again.
func (r *reactor) wait(until time.Time) []ending {
	defer func() { r.ended = r.ended[:0] }()
	r.poller.Look()
	r.expire()
	if len(r.ended) == 0 {
		if _, at, ok := r.deadlines.First(); ok {
			until = earlier(until, at)
		}
		r.poller.Sleep(until)
		r.expire()
	}
	return r.ended
}

// wake ends the present wait, or the next if there is none. Any goroutine may
// call it.
func (r *reactor) wake() { r.poller.Wake() }

// ready goes on with the dialog on a descriptor, and tells whether there is
// something to judge.
func (r *reactor) ready(fd int, events uint32) (enough bool) {
	if call := r.calls[fd]; call != nil {
		r.advance(call, events)
	}
	return len(r.ended) > 0
}

// advance goes on with a call whose socket is ready.
func (r *reactor) advance(call *dialogCall, events uint32) {
	if call.exchange == nil {
		if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			r.finish(call, call.attempt().failed("connect", socketError(call.fd)))
			return
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		call.exchange = call.dialog.begin()
	}
	r.goOn(call)
}

// goOn goes on with a call whose connection stands, and tells whether that was its end.
func (r *reactor) goOn(call *dialogCall) bool {
	end := call.exchange.next(call.fd, r.scratch)
	if end != nil {
		r.finish(call, end.observation(call.attempt(), call.exchange.verb()))
	}
	return end != nil
}

// socketError returns why a connection failed.
func socketError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case errno == 0:
		return os.NewSyscallError("connect", unix.ECONNRESET) // hung up by the other side
	}
	return os.NewSyscallError("connect", unix.Errno(errno))
}

// expire ends the dialogs whose time was over before we looked: an answer that came
// in time counts, however late we come to read it.
func (r *reactor) expire() {
	for {
		call, at, ok := r.deadlines.First()
		if !ok || at.After(r.poller.Looked()) {
			return
		}
		verb := "connect"
		if call.exchange != nil {
			verb = call.exchange.verb()
		}
		r.finish(call, call.attempt().failed(verb, os.ErrDeadlineExceeded))
	}
}

func (r *reactor) finish(call *dialogCall, seen Observation) {
	r.deadlines.Remove(call)
	delete(r.calls, call.fd)
	rawClose(call.fd)
	r.ended = append(r.ended, ending{call.entry, call.begin, seen})
}

func (c *dialogCall) attempt() attempt { return attempt{begin: c.begin, limit: c.timeout} }
