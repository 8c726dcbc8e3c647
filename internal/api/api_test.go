package api

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/internal/engine"
)

// fakeEngine answers with what it is given and notes what it is told.
type fakeEngine struct {
	mu       sync.Mutex
	status   *engine.Status
	err      error
	wait     chan struct{} // when not nil, commands wait for it
	commands []string
}

func (f *fakeEngine) Status() *engine.Status { return f.status }

func (f *fakeEngine) Reload(ctx context.Context) error { return f.command(ctx, "reload") }

func (f *fakeEngine) Failover(ctx context.Context, groups []string) error {
	return f.command(ctx, "failover", groups...)
}

func (f *fakeEngine) command(ctx context.Context, name string, args ...string) error {
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range args {
		name += " " + a
	}
	f.commands = append(f.commands, name+" by "+engine.OperatorOf(ctx))
	return f.err
}

func (f *fakeEngine) SetOverride(ctx context.Context, target engine.Target, o engine.Override) (int, error) {
	return 2, f.command(ctx, "override", target.String(), o.String(), o.Reason)
}

func (f *fakeEngine) Connections(context.Context, engine.Target) (int, error) { return 7, f.err }

// fakeJournal has past events, and yields what is sent to live.
type fakeJournal struct {
	past []engine.Event
	live chan engine.Event
}

func (f *fakeJournal) Recent(n int) []engine.Event {
	return f.past[max(0, len(f.past)-n):]
}

func (f *fakeJournal) Subscribe(ctx context.Context, after uint64) iter.Seq[engine.Event] {
	return func(yield func(engine.Event) bool) {
		for {
			select {
			case e := <-f.live:
				if e.Seq > after && !yield(e) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// daemon is a server on a socket and a TCP address, with a client.
type daemon struct {
	engine  *fakeEngine
	journal *fakeJournal
	level   zap.AtomicLevel
	client  *Client
	tcp     string // base URL of the reading server
	socket  string
	stop    func() error // ends Run and returns its error; may be called again
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "d.sock")
	control, err := ListenSocket(socket)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{
		engine:  &fakeEngine{status: &engine.Status{Node: "lb-a"}},
		journal: &fakeJournal{live: make(chan engine.Event)},
		level:   zap.NewAtomicLevelAt(zapcore.InfoLevel),
		client:  NewClient(socket),
		tcp:     "http://" + listen.Addr().String(),
		socket:  socket,
	}
	server := New(Options{
		Log: zaptest.NewLogger(t), Level: d.level,
		Engine: d.engine, Change: d.engine, Journal: d.journal,
		Control: control, Listen: listen,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	d.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, control.Close())
	})
	t.Cleanup(func() {
		d.client.Close()
		if err := d.stop(); err != nil {
			t.Errorf("stop server: %v", err)
		}
	})
	return d
}

// someEvents are a few events of different kinds, numbered from 1.
func someEvents() []engine.Event {
	at := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	list := []engine.Event{
		{Kind: engine.KindStart, To: "running"},
		{Kind: engine.KindCheck, VirtualServer: "web", RealServer: "10.0.0.11:80", Check: "healthz", From: "unknown", To: "up"},
		{Kind: engine.KindReal, VirtualServer: "web", RealServer: "10.0.0.11:80", From: "unknown", To: "up"},
		{Kind: engine.KindRole, Group: "front", From: "BACKUP", To: "MASTER"},
		{Kind: engine.KindReal, VirtualServer: "dns", RealServer: "[2001:db8::1]:53", From: "up", To: "down"},
	}
	for i := range list {
		list[i].Seq = uint64(i + 1)
		list[i].Time = at.Add(time.Duration(i) * time.Minute)
	}
	return list
}

func sequence(events []engine.Event) []uint64 {
	var seq []uint64
	for _, e := range events {
		seq = append(seq, e.Seq)
	}
	return seq
}

// httpClient is a client that keeps no connection, so that a test leaks none.
func httpClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func collect(t *testing.T, events iter.Seq2[engine.Event, error]) []engine.Event {
	t.Helper()
	var list []engine.Event
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return slices.Clip(list)
}
