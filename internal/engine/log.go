package engine

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logEvent writes an event to the log: the kind is the message, the facts are
// fields under the names that the whole program uses.
func logEvent(log *zap.Logger, ev Event) {
	entry := log.Check(levelOf(ev), string(ev.Kind))
	if entry == nil {
		return
	}
	fields := make([]zap.Field, 0, 13)
	for _, f := range []struct{ key, value string }{
		{"virtual_server", ev.VirtualServer},
		{"real_server", ev.RealServer},
		{"group", ev.Group},
		{"sync_group", ev.SyncGroup},
		{"check", ev.Check},
		{"session", ev.Session},
		{"from", ev.From},
		{"to", ev.To},
		{"reason", ev.Reason},
		{"status", ev.Status},
		{"error", ev.Error},
		{"operator", ev.Operator},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	if ev.Latency != 0 {
		fields = append(fields, zap.Duration("latency", ev.Latency))
	}
	if ev.Lag != 0 {
		fields = append(fields, zap.Duration("lag", ev.Lag))
	}
	entry.Write(fields...)
}

// levelOf says how loud an event is: what takes capacity away or could not be
// done is a warning, a refusal or a panic an error, all else is information.
func levelOf(ev Event) zapcore.Level {
	switch {
	case ev.Error != "" || ev.To == "panic":
		return zapcore.ErrorLevel
	case ev.To == "down" || ev.To == "FAULT" || ev.To == paceLate || ev.To == "ignored" || ev.Kind == KindDrift:
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}
