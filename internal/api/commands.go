package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/internal/engine"
)

func (s *Server) postReload(w http.ResponseWriter, r *http.Request) {
	ctx := s.command(r, "reload")
	extendDeadline(w, commandTimeout)
	settle(w, s.engine.Reload(ctx))
}

func (s *Server) postFailover(w http.ResponseWriter, r *http.Request) {
	var body failoverRequest
	if !decode(w, r, &body) {
		return
	}
	ctx := s.command(r, "failover", zap.Strings("groups", body.Groups))
	extendDeadline(w, commandTimeout)
	settle(w, s.engine.Failover(ctx, body.Groups))
}

func (s *Server) getLogLevel(w http.ResponseWriter, _ *http.Request) {
	answer(w, logLevel{Level: s.level.Level().String()})
}

func (s *Server) putLogLevel(w http.ResponseWriter, r *http.Request) {
	var body logLevel
	if !decode(w, r, &body) {
		return
	}
	switch body.Level {
	case "debug", "info", "warn", "error":
	default:
		refuse(w, http.StatusUnprocessableEntity,
			fmt.Errorf("log level %q is none of debug, info, warn, error", body.Level))
		return
	}
	s.command(r, "log-level", zap.String("level", body.Level))
	settle(w, s.level.UnmarshalText([]byte(body.Level)))
}

// commandTimeout is how long a command may take: a reload of 10,000 real
// servers on a slow machine takes seconds.
const commandTimeout = 2 * time.Minute

// command notes who asks for what, and returns the context in which the engine
// is told: it carries the operator's name for the event.
func (s *Server) command(r *http.Request, name string, fields ...zap.Field) context.Context {
	who := peerOf(r.Context())
	s.log.Info("operator command", append([]zap.Field{zap.String("command", name), zap.String("operator", who)}, fields...)...)
	return engine.WithOperator(r.Context(), who)
}

func (s *Server) putOverride(w http.ResponseWriter, r *http.Request) {
	var body Override
	if !decode(w, r, &body) {
		return
	}
	target, wish, err := body.parse()
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	ctx := s.command(r, "override", zap.Stringer("target", target), zap.Stringer("override", wish))
	n, err := s.change.SetOverride(ctx, target, wish)
	if err != nil {
		settle(w, err)
		return
	}
	answer(w, changed{n})
}

// maxReason bounds an operator's reason, which events and the state file keep.
const maxReason = 1024

// parse returns which real servers are meant, and what is wanted of them.
func (o Override) parse() (engine.Target, engine.Override, error) {
	target, err := engine.ParseTarget(o.VirtualServer, o.RealServer)
	if err != nil {
		return engine.Target{}, engine.Override{}, err
	}
	if n := len(o.Reason); n > maxReason {
		return engine.Target{}, engine.Override{}, fmt.Errorf("reason of %d bytes: want %d at most", n, maxReason)
	}
	wish := engine.Override{Reason: o.Reason}
	switch o.Mode {
	case "none":
		wish.Reason = "" // what is taken back leaves nothing behind
	case "drain":
		wish.Mode = engine.OverrideDrain
	case "disable":
		wish.Mode = engine.OverrideDisable
	case "weight":
		if o.Weight > math.MaxInt32 {
			return engine.Target{}, engine.Override{}, fmt.Errorf("weight %d: want 0 to %d", o.Weight, math.MaxInt32)
		}
		wish.Mode, wish.Weight = engine.OverrideWeight, o.Weight
	default:
		return engine.Target{}, engine.Override{}, fmt.Errorf("override %q is none of drain, disable, weight, none", o.Mode)
	}
	return target, wish, nil
}

func (s *Server) getConnections(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	target, err := engine.ParseTarget(values.Get("virtual_server"), values.Get("real_server"))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	n, err := s.change.Connections(r.Context(), target)
	if err != nil {
		settle(w, err)
		return
	}
	answer(w, connections{n})
}
