package logging

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// queueLines is how many lines may wait: a burst of some thousand events
	// fits, and the memory that a stalled reader costs is bounded.
	queueLines = 8192
	// flushTimeout is how long the end waits for a reader that is stalled.
	flushTimeout = time.Second
)

// Queue stands before a sink that may stall: a pipe whose reader hangs, a full
// or slow disk. Its writer never waits; lines for which there is no room are
// counted and lost. The engine logs through it: a journal that hangs must not
// keep it from checking servers.
type Queue struct {
	sink  Sink
	lines chan []byte
	lost  atomic.Uint64

	failed uint64 // lines that the sink refused since it took one; Run's alone
}

var _ zapcore.WriteSyncer = (*Queue)(nil)

// NewQueue returns a queue before sink that holds its lines until Run.
func NewQueue(sink Sink) *Queue {
	return &Queue{sink: sink, lines: make(chan []byte, queueLines)}
}

// Write queues one line. It never fails and never blocks.
func (q *Queue) Write(line []byte) (int, error) {
	select {
	case q.lines <- slices.Clone(line): // zap uses its buffer again
	default:
		q.lost.Add(1)
	}
	return len(line), nil
}

// Sync does nothing: see Run for the end.
func (q *Queue) Sync() error { return nil }

// Run writes what is queued until ctx is done, then what is left, for a second
// at most. log is told when lines were lost; it may be the one that writes here.
func (q *Queue) Run(ctx context.Context, log *zap.Logger) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		for {
			select {
			case line := <-q.lines:
				q.write(line, log)
			case <-ctx.Done():
				q.flush(log)
				return
			}
		}
	}()
	<-ctx.Done()
	timeout := time.NewTimer(flushTimeout)
	defer timeout.Stop()
	select {
	case <-written:
	case <-timeout.C: // its writer is stuck in the kernel, and ends with the process
	}
}

// flush writes what is queued now.
func (q *Queue) flush(log *zap.Logger) {
	for {
		select {
		case line := <-q.lines:
			q.write(line, log)
		default:
			return
		}
	}
}

func (q *Queue) write(line []byte, log *zap.Logger) {
	if _, err := q.sink.Write(line); err != nil {
		q.failed++ // told when the log can be written again; until then a File says so on standard error
		return
	}
	if n := q.failed; n > 0 {
		q.failed = 0
		log.Warn("log lines lost: the log could not be written", zap.Uint64("lines", n))
	}
	// With room again it can be told what is missing.
	if len(q.lines) < queueLines/2 {
		if n := q.lost.Swap(0); n > 0 {
			log.Warn("log lines lost: whoever reads them is too slow", zap.Uint64("lines", n))
		}
	}
}
