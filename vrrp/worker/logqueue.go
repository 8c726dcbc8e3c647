package worker

import (
	"io"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// queuedLines is how many log lines may wait to be written.
const queuedLines = 1024

// lineQueue stands between a logger and a file that may block: a full pipe, a
// journal that stands still, a terminal that was stopped. VRRP must not wait
// for any of them, so lines that find the queue full are dropped and counted.
type lineQueue struct {
	to      io.Writer
	lines   chan []byte
	dropped atomic.Uint64
}

func newLineQueue(to io.Writer) *lineQueue {
	return &lineQueue{to: to, lines: make(chan []byte, queuedLines)}
}

// Write queues one line. It never blocks and never fails.
func (q *lineQueue) Write(p []byte) (int, error) {
	line := append([]byte(nil), p...) // zap uses its buffer again
	select {
	case q.lines <- line:
	default:
		q.dropped.Add(1)
	}
	return len(p), nil
}

// Sync does nothing: to wait for the file is what the queue avoids.
func (q *lineQueue) Sync() error { return nil }

// run writes the lines until end is closed and the queue is empty. How many
// were dropped is said to log, which should be the logger on this queue.
func (q *lineQueue) run(end <-chan struct{}, log *zap.Logger) {
	for {
		select {
		case line := <-q.lines:
			q.write(line, log)
			continue
		default:
		}
		select {
		case line := <-q.lines:
			q.write(line, log)
		case <-end:
			return
		}
	}
}

func (q *lineQueue) write(line []byte, log *zap.Logger) {
	// There is nobody to tell that the log cannot be written.
	_, _ = q.to.Write(line)
	if n := q.dropped.Swap(0); n > 0 {
		log.Warn("log lines dropped, since they could not be written in time", zap.Uint64("lines", n))
	}
}

// start starts run and returns what ends it: a flush that takes a second at
// most, after which a write that still blocks is left alone.
func (q *lineQueue) start(log *zap.Logger) (flush func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		q.run(end, log)
	}()
	return func() {
		close(end)
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
}
