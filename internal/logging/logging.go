// Package logging makes the daemon's logger: zap, as text for people or JSON
// for programs, to standard error, to the journal, or to a file that others
// may rotate.
//
// The same events go to the log, to `director tail` and to the API; a log line
// is one event or one remark, never more, and its fields have fixed names.
package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
)

// Options say where the log goes and how it looks.
type Options struct {
	Format string // "console" or "json"
	File   string // empty: Stderr
	Level  zap.AtomicLevel
	Stderr io.Writer
}

// New opens the sink and returns a logger that writes to it. Close the sink last.
func New(o Options) (*zap.Logger, Sink, error) {
	sink, err := Open(o)
	if err != nil {
		return nil, nil, err
	}
	log, err := NewLogger(o, sink)
	if err != nil {
		return nil, nil, errors.Join(err, sink.Close())
	}
	return log, sink, nil
}

// Open opens where log lines go.
func Open(o Options) (Sink, error) {
	if o.File == "" {
		return stderr{o.Stderr}, nil
	}
	f, err := OpenFile(o.File)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// NewLogger returns a logger whose lines go to w, which is the sink of the same
// options or something before it.
func NewLogger(o Options, w zapcore.WriteSyncer) (*zap.Logger, error) {
	encoder, err := newEncoder(o.Format, o.File == "" && IsJournal(o.Stderr))
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(w), o.Level)), nil
}

// Sink is where log lines end.
type Sink interface {
	zapcore.WriteSyncer
	// Reopen makes the next line go to the file that now has the name.
	Reopen()
	Close() error
}

// newEncoder returns the form of a line. The journal has its own clock and
// takes the level from a "<N>" prefix (sd-daemon(3)), so a console line there
// begins with that and has no time.
func newEncoder(format string, journal bool) (zapcore.Encoder, error) {
	config := zapcore.EncoderConfig{
		TimeKey:          "time",
		LevelKey:         "level",
		NameKey:          "logger",
		MessageKey:       "msg",
		StacktraceKey:    "stack",
		LineEnding:       "\n",
		EncodeTime:       zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:      zapcore.LowercaseLevelEncoder,
		EncodeDuration:   zapcore.StringDurationEncoder,
		EncodeName:       zapcore.FullNameEncoder,
		ConsoleSeparator: " ",
	}
	switch format {
	case "json":
		return zapcore.NewJSONEncoder(config), nil
	case "console":
		config.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
		config.EncodeLevel = paddedLevel
		if journal {
			config.TimeKey = ""
			config.EncodeLevel = priorityLevel
		}
		return zapcore.NewConsoleEncoder(config), nil
	}
	return nil, fmt.Errorf("log format %q is none of console, json", format)
}

// paddedLevel keeps the messages of a text log in one column.
func paddedLevel(l zapcore.Level, out zapcore.PrimitiveArrayEncoder) {
	out.AppendString(fmt.Sprintf("%-5s", l.CapitalString()))
}

// priorityLevel prefixes the level with its syslog priority, for the journal.
func priorityLevel(l zapcore.Level, out zapcore.PrimitiveArrayEncoder) {
	out.AppendString("<" + strconv.Itoa(priority(l)) + ">" + l.CapitalString())
}

// priority is the syslog severity (RFC 5424, table 2) of a level.
func priority(l zapcore.Level) int {
	switch {
	case l >= zapcore.DPanicLevel:
		return 2
	case l == zapcore.ErrorLevel:
		return 3
	case l == zapcore.WarnLevel:
		return 4
	case l == zapcore.InfoLevel:
		return 6
	}
	return 7
}

// IsJournal reports whether w is the stream that systemd connected to the
// journal: JOURNAL_STREAM holds its device and inode (systemd.exec(5)), which
// differ from w's when somebody redirected it.
func IsJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	return sameStream(os.Getenv("JOURNAL_STREAM"), f)
}

func sameStream(stream string, f *os.File) bool {
	device, inode, ok := strings.Cut(stream, ":")
	if !ok {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return device == strconv.FormatUint(st.Dev, 10) && inode == strconv.FormatUint(st.Ino, 10)
}

// stderr is a sink that cannot be rotated or closed.
type stderr struct{ io.Writer }

func (stderr) Sync() error  { return nil }
func (stderr) Reopen()      {}
func (stderr) Close() error { return nil }
