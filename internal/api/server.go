package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/lvs-director/director/internal/engine"
)

// Options are the parts of a Server.
type Options struct {
	Log     *zap.Logger
	Level   zap.AtomicLevel // the one that Log obeys
	Engine  Engine
	Change  Overrides
	Journal Journal
	Control *Socket      // full control; closed by who made it
	Listen  net.Listener // reading only; nil is none
}

// Server answers HTTP requests. It holds nothing between two requests.
type Server struct {
	log     *zap.Logger
	level   zap.AtomicLevel
	engine  Engine
	change  Overrides
	journal Journal
	control *Socket
	listen  net.Listener
	process func() http.Handler // metrics of this process
}

// New returns a server that serves nothing before Run.
func New(o Options) *Server {
	return &Server{
		log:     o.Log,
		level:   o.Level,
		engine:  o.Engine,
		change:  o.Change,
		journal: o.Journal,
		control: o.Control,
		listen:  o.Listen,
		process: sync.OnceValue(processMetrics), // at the first scrape: the start has better to do
	}
}

// Run serves until ctx is done, then ends the event streams, lets other
// requests finish for a second, and closes the listeners.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(ctx, s.control.listener, s.controlHandler()) })
	if s.listen != nil {
		limited := netutil.LimitListener(s.listen, maxTCPConnections)
		group.Go(func() error { return s.serve(ctx, limited, s.viewHandler()) })
	}
	return group.Wait()
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	// A handler that panics is told of nowhere else.
	errorLog, err := zap.NewStdLogAt(s.log, zap.WarnLevel)
	if err != nil {
		return fmt.Errorf("serve api on %s: %w", l.Addr(), err)
	}
	srv := &http.Server{
		Handler:        h,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       errorLog,
		// Requests live no longer than the server: this ends the streams.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: withPeer,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve api on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		srv.Close() // the time is up: cut what is left
	}
	<-done
	return nil
}

// viewHandler serves what only reads.
func (s *Server) viewHandler() *http.ServeMux {
	mux := http.NewServeMux()
	streams := make(chan struct{}, maxStreams)
	mux.HandleFunc("GET /v1/status", s.getStatus)
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		select {
		case streams <- struct{}{}:
			defer func() { <-streams }()
			s.getEvents(w, r)
		default:
			refuse(w, http.StatusServiceUnavailable, errors.New("too many event streams are open"))
		}
	})
	mux.HandleFunc("GET /v1/connections", s.getConnections)
	mux.HandleFunc("GET /v1/log-level", s.getLogLevel)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", s.getReady)
	mux.HandleFunc("GET /metrics", s.getMetrics)
	return mux
}

// controlHandler serves what reads and what changes.
func (s *Server) controlHandler() *http.ServeMux {
	mux := s.viewHandler()
	mux.HandleFunc("POST /v1/reload", s.postReload)
	mux.HandleFunc("POST /v1/failover", s.postFailover)
	mux.HandleFunc("PUT /v1/override", s.putOverride)
	mux.HandleFunc("PUT /v1/log-level", s.putLogLevel)
	return mux
}

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.engine.Status())
}

func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	if why := notReady(s.engine.Status()); why != "" {
		refuse(w, http.StatusServiceUnavailable, errors.New(why))
		return
	}
	fmt.Fprintln(w, "ok")
}

// notReady says why the daemon does not do its work yet or any more, or "".
func notReady(status *engine.Status) string {
	switch k := status.Kernel; {
	case k.InSync:
		return ""
	case k.LastError != "":
		return "kernel not in sync: " + k.LastError
	}
	return "kernel not in sync yet"
}

// settle answers a command with its outcome.
func settle(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("director is stopping or busy: %w", err))
	default:
		refuse(w, http.StatusUnprocessableEntity, err)
	}
}

// decode reads a small JSON body strictly; an empty body is an empty request.
// It answers and returns false when the body cannot be read.
func decode(w http.ResponseWriter, r *http.Request, body any) bool {
	if r.ContentLength == 0 {
		return true
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(body); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("read request: %w", err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A failure here is a client that went away: nobody is left to be told.
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(refusal{Error: err.Error()})
}

// extendDeadline gives the answer d from now. The deadline of reading goes:
// the request has been read, and net/http takes a read that times out for a
// client that went away. A writer that cannot (a test's recorder) has no
// deadlines to begin with.
func extendDeadline(w http.ResponseWriter, d time.Duration) {
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Time{})
	_ = conn.SetWriteDeadline(time.Now().Add(d))
}
