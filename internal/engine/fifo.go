package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/conf"
)

// fifoQueueSize bounds how many lines may wait for a reader, beside the 64 KiB
// that the pipe itself holds.
const fifoQueueSize = 1024

// fifoPatience is how long a full pipe is waited for before it is looked at again:
// somebody may have made another, which alone has a reader.
const fifoPatience = time.Second

// fifoStopTime is how long the daemon waits at its stop for readers to take what waits.
const fifoStopTime = time.Second

// fifo is a named pipe and the lines that it is to be told. The engine adds
// lines and never waits; one goroutine writes.
type fifo struct {
	conf.FIFO
	lines   chan string
	told    chan<- Event
	done    chan struct{}
	stop    context.CancelFunc
	written atomic.Uint64
	dropped atomic.Uint64
	full    bool // of the engine: lines are being dropped, and that was told
}

// fifos are the pipes that are configured.
type fifos struct {
	run  func(*fifo) // starts writing in the background
	list []*fifo
}

// setFIFOs takes the pipes of a configuration. Those that stay keep what waits in them.
func (e *Engine) setFIFOs(config *conf.Config) {
	old := make(map[conf.FIFO]*fifo)
	for _, f := range e.fifos.list {
		old[f.FIFO] = f
	}
	e.fifos.list = nil
	for _, c := range config.FIFOs {
		f := old[c]
		if f == nil {
			f = newFIFO(c, e.hooks.done)
			e.fifos.run(f)
		}
		delete(old, c)
		e.fifos.list = append(e.fifos.list, f)
	}
	for _, f := range old {
		close(f.lines)
		f.stop()
	}
}

func newFIFO(c conf.FIFO, told chan<- Event) *fifo {
	return &fifo{FIFO: c, lines: make(chan string, fifoQueueSize), told: told, done: make(chan struct{}), stop: func() {}}
}

// tellFIFOs tells the pipes of an event.
func (e *Engine) tellFIFOs(ev Event) {
	if len(e.fifos.list) == 0 {
		return
	}
	lines, subjects := e.fifoLines(ev)
	for _, f := range e.fifos.list {
		if f.Of.VRRP && subjects.VRRP || f.Of.Services && subjects.Services {
			e.addLines(f, lines)
		}
	}
}

// addLines has lines written, or drops them: the first that is dropped is an event.
func (e *Engine) addLines(f *fifo, lines []string) {
	for _, line := range lines {
		select {
		case f.lines <- line:
			f.full = f.full && len(f.lines) > fifoQueueSize/2
		default:
			f.dropped.Add(1)
			if !f.full {
				f.full = true
				e.event(Event{Kind: KindHook, Error: fmt.Sprintf("notify_fifo %s: its reader is absent or too slow: lines are dropped", f.Path)})
			}
		}
	}
}

// endFIFOs ends the pipes, with a moment for what waits in them to be taken.
func (e *Engine) endFIFOs() {
	list := e.fifos.list
	e.fifos.list = nil // nothing more is told
	for _, f := range list {
		close(f.lines)
	}
	limit := time.NewTimer(fifoStopTime)
	defer limit.Stop()
	for _, f := range list {
		for ended := false; !ended; {
			select {
			case <-f.done:
				ended = true
			case ev := <-e.hooks.done:
				e.takeHook(ev)
			case <-limit.C:
				limit.Reset(0) // the others' time is over, too
				f.stop()
				ended = true
			}
		}
	}
}

// write writes the lines until there are no more, or ctx is done.
func (f *fifo) write(ctx context.Context) {
	defer close(f.done)
	var pipe *os.File
	defer func() { pipe.Close() }() // of none: an error, nothing more
	complained := ""
	for line := range f.lines {
		var err error
		if pipe, err = f.put(ctx, pipe, line); err == nil {
			f.written.Add(1)
			complained = ""
			continue
		}
		f.dropped.Add(1)
		if text := err.Error(); ctx.Err() == nil && text != complained {
			complained = text
			select {
			case f.told <- Event{Kind: KindHook, Error: "notify_fifo: " + text}:
			case <-ctx.Done():
			}
		}
	}
}

// put writes a line to the pipe that is at the path, and returns that.
func (f *fifo) put(ctx context.Context, pipe *os.File, line string) (*os.File, error) {
	for {
		err := ctx.Err()
		if err == nil {
			pipe, err = f.open(pipe)
		}
		if err == nil {
			err = writeInTime(ctx, pipe, line)
		}
		if ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return pipe, err
		}
	}
}

// writeInTime writes a line if there is room for it in time. It is shorter than
// PIPE_BUF, so it is written whole or not at all.
func writeInTime(ctx context.Context, pipe *os.File, line string) error {
	if err := pipe.SetWriteDeadline(time.Now().Add(fifoPatience)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = pipe.SetWriteDeadline(time.Now()) })
	defer stop()
	_, err := pipe.WriteString(line)
	return err
}

// open returns the pipe that is at the path now: somebody may have removed it,
// or made another.
func (f *fifo) open(pipe *os.File) (*os.File, error) {
	if pipe != nil {
		is, err := os.Lstat(f.Path)
		if was, e := pipe.Stat(); err == nil && e == nil && os.SameFile(is, was) {
			return pipe, nil
		}
		pipe.Close()
	}
	if err := unix.Mkfifo(f.Path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "make", Path: f.Path, Err: err}
	}
	// Also for reading: it can be opened, and written to, without a reader.
	pipe, err := os.OpenFile(f.Path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if is, err := pipe.Stat(); err != nil || is.Mode().Type() != os.ModeNamedPipe {
		pipe.Close()
		return nil, fmt.Errorf("%s is there already, and no named pipe", f.Path)
	}
	return pipe, nil
}

// fifoStatus tells how the pipes are.
func (e *Engine) fifoStatus() []FIFOStatus {
	var list []FIFOStatus
	for _, f := range e.fifos.list {
		list = append(list, FIFOStatus{Path: f.Path, Written: f.written.Load(), Dropped: f.dropped.Load(), Full: f.full})
	}
	return list
}
