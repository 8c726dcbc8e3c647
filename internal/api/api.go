// Package api is how Director is asked and told things while it runs: an HTTP
// server on a unix socket with full control, the same on a TCP address without
// any control, and the client that the command line uses.
//
// The package holds no state. What it shows is the engine's snapshot and
// journal, read at the moment of the request; what it is told, it passes to
// the engine and waits for the answer. Events are JSON, one to a line;
// everything else is one JSON document, except /metrics, which is Prometheus'
// text format.
//
//	GET  /v1/status      engine.Status
//	GET  /v1/events      engine.Event by line; parameters as in Query
//	POST /v1/reload      read the configuration again; 422 when it is refused
//	POST /v1/failover    {"groups": ["front"]}, none is all
//	PUT  /v1/override    an Override; answers {"changed": 1}
//	GET  /v1/connections ?virtual_server=web&real_server=10.0.0.11:80; answers {"connections": 3}
//	GET  /v1/log-level   {"level": "info"}
//	PUT  /v1/log-level   {"level": "debug"}
//	GET  /healthz        200 while the server answers
//	GET  /readyz         200 when the kernel holds what it should, else 503 and why
//	GET  /metrics
package api

import (
	"context"
	"iter"
	"time"

	"github.com/lvs-director/director/internal/engine"
)

// Engine is what the server shows and commands. *engine.Engine is one.
type Engine interface {
	Status() *engine.Status
	Reload(ctx context.Context) error
	Failover(ctx context.Context, groups []string) error
}

// Overrides is what an operator changes at run time. *engine.Engine is one.
type Overrides interface {
	SetOverride(ctx context.Context, target engine.Target, o engine.Override) (changed int, err error)
	Connections(ctx context.Context, target engine.Target) (int, error)
}

// Journal is where the server reads events. *engine.Journal is one.
type Journal interface {
	// Recent returns the newest n events, oldest first.
	Recent(n int) []engine.Event
	// Subscribe yields the events after a sequence number as they happen. A
	// reader that is too slow misses some, which the numbers show.
	Subscribe(ctx context.Context, after uint64) iter.Seq[engine.Event]
}

// KindGap is the kind of the event that the stream puts where a reader was too
// slow and events were lost to it. The engine never makes one.
const KindGap engine.Kind = "gap"

// failoverRequest is the body of POST /v1/failover.
type failoverRequest struct {
	Groups []string `json:"groups"`
}

// Override is the body of PUT /v1/override: what is wanted of which real servers.
type Override struct {
	VirtualServer string `json:"virtual_server,omitempty"` // none is every one
	RealServer    string `json:"real_server"`              // as engine.ParseTarget reads it
	Mode          string `json:"mode"`                     // drain, disable, weight; none takes it back
	Weight        uint32 `json:"weight,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// changed answers PUT /v1/override.
type changed struct {
	Changed int `json:"changed"`
}

// connections answers GET /v1/connections.
type connections struct {
	Connections int `json:"connections"`
}

// logLevel is the body of /v1/log-level, both ways.
type logLevel struct {
	Level string `json:"level"`
}

// refusal is the body of every answer that is not a success.
type refusal struct {
	Error string `json:"error"`
}

// Limits on what a client may cost. A status of 10,000 real servers is 4 MB,
// which the slowest link must take within writeTimeout.
const (
	maxBody           = 64 << 10
	maxHeader         = 16 << 10
	maxTCPConnections = 256
	maxStreams        = 64 // open event streams per listener
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = time.Second
)
