package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
)

// stalling is a sink that takes nothing until it is let go.
type stalling struct {
	bytes.Buffer
	entered chan struct{} // a write has begun
	goOn    chan struct{}
}

func (s *stalling) Write(p []byte) (int, error) {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.goOn
	return s.Buffer.Write(p)
}
func (*stalling) Sync() error  { return nil }
func (*stalling) Reopen()      {}
func (*stalling) Close() error { return nil }

func TestQueueNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &stalling{entered: make(chan struct{}, 1), goOn: make(chan struct{})}
		q := NewQueue(sink)
		log, err := NewLogger(Options{Format: "json", Level: level()}, q)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { q.Run(ctx, log); close(ended) }()
		log.Info("first")
		<-sink.entered // the queue is empty, and its writer is stuck
		for i := range queueLines + 5 {
			log.Info("line", zap.Int("number", i))
		}
		close(sink.goOn)
		synctest.Wait()
		cancel()
		<-ended
		text := sink.String()
		if n := strings.Count(text, `"msg":"line"`); n != queueLines {
			t.Errorf("%d lines written, want %d", n, queueLines)
		}
		if !strings.Contains(text, `"lines":5}`) {
			t.Error("it is not told that 5 lines were lost")
		}
		if first, last := strings.Index(text, `"number":0}`), strings.Index(text, fmt.Sprintf(`"number":%d}`, queueLines-1)); first < 0 || last < first {
			t.Error("the lines are not in order")
		}
	})
}

// full is a sink that has no space for a number of lines.
type full struct {
	stderr
	refuse int
}

func (f *full) Write(p []byte) (int, error) {
	if f.refuse > 0 {
		f.refuse--
		return 0, syscall.ENOSPC
	}
	return f.stderr.Write(p)
}

func TestQueueTellsWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := NewQueue(&full{stderr{&out}, 3})
	log, err := NewLogger(Options{Format: "json", Level: level()}, q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		log.Info("line", zap.Int("number", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.Run(ctx, log)
	text := out.String()
	if n := strings.Count(text, `"msg":"line"`); n != 2 {
		t.Errorf("%d lines written, want 2", n)
	}
	if n := strings.Count(text, "could not be written\",\"lines\":3}"); n != 1 {
		t.Errorf("it is told %d times that 3 lines were lost:\n%s", n, text)
	}
}

func TestQueueIsFlushedAtTheEnd(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := NewQueue(stderr{&out})
	for i := range 100 {
		fmt.Fprintf(q, "%d\n", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.Run(ctx, zap.NewNop())
	if n := strings.Count(out.String(), "\n"); n != 100 {
		t.Errorf("%d lines written, want 100", n)
	}
}

// A reader that hangs for good does not keep the daemon from ending.
func TestQueueGivesUpAStalledSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &stalling{goOn: make(chan struct{})}
		q := NewQueue(sink)
		if _, err := q.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("end"))
		q.Run(ctx, zap.NewNop()) // returns, at fake time 1 s
		close(sink.goOn)
	})
}
