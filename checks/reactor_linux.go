package checks

import (
	"container/heap"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reactor holds many dialogs in one goroutine, on an epoll of its own.
//
// A goroutine for each would be woken twice, through a poller that wakes a
// thread to do so; at thousands of probes a second that and the sleeping and
// waking of the scheduler's watchdog (sysmon) cost more than the probes.
type reactor struct {
	epoll, event int                 // event wakes the epoll
	report       func([]ending)      // called by run's goroutine
	calls        map[int]*dialogCall // by descriptor
	deadlines    callHeap
	scratch      []byte
	ended        []ending

	mu    sync.Mutex
	queue []*dialogCall // to be started
}

// dialogCall is one dialog in flight.
type dialogCall struct {
	entry    *entry
	dialog   *dialog
	timeout  time.Duration
	fd       int
	begin    time.Time
	exchange exchange // nil until the connection stands
	index    int      // in deadlines
}

// ending is a probe that is over.
type ending struct {
	entry *entry
	begin time.Time
	seen  Observation
}

// scratchSize is what an exchange reads at once.
const scratchSize = 16 << 10

func newReactor(report func([]ending)) (*reactor, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	r := &reactor{epoll: epoll, event: event, report: report, calls: make(map[int]*dialogCall), scratch: make([]byte, scratchSize)}
	if err := r.watch(event, unix.EPOLLIN); err != nil {
		r.close()
		return nil, fmt.Errorf("watch eventfd: %w", err)
	}
	return r, nil
}

func (r *reactor) close() {
	for fd := range r.calls {
		unix.Close(fd)
	}
	unix.Close(r.event)
	unix.Close(r.epoll)
}

func (r *reactor) watch(fd int, events uint32) error {
	return unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// start begins dialogs. It does not wait.
func (r *reactor) start(calls []*dialogCall) {
	r.mu.Lock()
	idle := len(r.queue) == 0
	r.queue = append(r.queue, calls...)
	r.mu.Unlock()
	if idle {
		r.wake()
	}
}

func (r *reactor) wake() {
	// It can fail only when it is full, and then the other side wakes anyway.
	_, _ = unix.Write(r.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// run works until ctx is done, and closes all that is open then.
func (r *reactor) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, r.wake)
	defer func() {
		stop()
		r.close()
	}()
	events := make([]unix.EpollEvent, 256)
	for ctx.Err() == nil {
		r.startQueued(events)
		// Deadlines are compared with the time before we looked: an answer
		// that came in time counts, however late we come to read it.
		looked := time.Now()
		n := r.poll(events, r.patience(looked))
		for n == len(events) {
			n = r.poll(events, 0)
		}
		r.expire(looked)
		if len(r.ended) > 0 {
			r.report(r.ended)
			clear(r.ended)
			r.ended = r.ended[:0]
		}
	}
}

// patience returns how many milliseconds may be waited.
func (r *reactor) patience(now time.Time) int {
	if len(r.ended) > 0 {
		return 0
	}
	if len(r.deadlines) == 0 {
		return -1
	}
	left := r.deadlines[0].deadline().Sub(now)
	return max(0, int((left+time.Millisecond-1)/time.Millisecond))
}

// startQueued starts what is queued, and between looks for what has ended, so
// that many at once do not make each other's latency look longer than it is.
func (r *reactor) startQueued(events []unix.EpollEvent) {
	const atOnce = 4
	r.mu.Lock()
	queue := r.queue
	r.queue = nil
	r.mu.Unlock()
	for i, call := range queue {
		r.open(call)
		if i%atOnce == atOnce-1 {
			r.poll(events, 0)
		}
	}
}

func (r *reactor) open(call *dialogCall) {
	call.begin = time.Now()
	fd, err := call.dialog.open()
	if err == nil {
		// Edge-triggered for both ways: one call for the life of the socket.
		if err = r.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		r.ended = append(r.ended, ending{call.entry, call.begin, call.attempt().failed("connect", err)})
		return
	}
	call.fd = fd
	r.calls[fd] = call
	heap.Push(&r.deadlines, call)
}

// poll waits for up to ms milliseconds (-1 is for ever), handles what is ready
// and returns how much that was.
func (r *reactor) poll(events []unix.EpollEvent, ms int) int {
	n, err := unix.EpollWait(r.epoll, events, ms)
	if err != nil {
		return 0 // EINTR
	}
	for _, ev := range events[:n] {
		if int(ev.Fd) == r.event {
			var buf [8]byte
			_, _ = unix.Read(r.event, buf[:])
			continue
		}
		if call := r.calls[int(ev.Fd)]; call != nil {
			r.advance(call, ev.Events)
		}
	}
	return n
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
	if end := call.exchange.next(call.fd, r.scratch); end != nil {
		r.finish(call, end.observation(call.attempt(), call.exchange.verb()))
	}
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

func (r *reactor) expire(now time.Time) {
	for len(r.deadlines) > 0 && !r.deadlines[0].deadline().After(now) {
		call := r.deadlines[0]
		verb := "connect"
		if call.exchange != nil {
			verb = call.exchange.verb()
		}
		r.finish(call, call.attempt().failed(verb, os.ErrDeadlineExceeded))
	}
}

func (r *reactor) finish(call *dialogCall, seen Observation) {
	heap.Remove(&r.deadlines, call.index)
	delete(r.calls, call.fd)
	unix.Close(call.fd)
	r.ended = append(r.ended, ending{call.entry, call.begin, seen})
}

func (c *dialogCall) deadline() time.Time { return c.begin.Add(c.timeout) }

func (c *dialogCall) attempt() attempt { return attempt{begin: c.begin, limit: c.timeout} }

// callHeap orders calls by deadline.
type callHeap []*dialogCall

func (h callHeap) Len() int           { return len(h) }
func (h callHeap) Less(i, j int) bool { return h[i].deadline().Before(h[j].deadline()) }
func (h callHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *callHeap) Push(x any) {
	call := x.(*dialogCall)
	call.index = len(*h)
	*h = append(*h, call)
}

// Pop implements heap.Interface.
func (h *callHeap) Pop() any {
	old := *h
	call := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return call
}
