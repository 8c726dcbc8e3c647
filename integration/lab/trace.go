package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tracefs is where the kernel's tracing is controlled.
const tracefs = "/sys/kernel/tracing"

// Trace records when the kernel's IPVS functions run, to the microsecond and for
// whichever program asked, in all namespaces. There is one at a time.
type Trace struct{}

// traced are the functions by the names of their events.
var traced = map[string]string{
	"add_service": "ip_vs_add_service", "edit_service": "ip_vs_edit_service", "del_service": "ip_vs_unlink_service",
	"add_dest": "ip_vs_add_dest", "edit_dest": "ip_vs_edit_dest", "del_dest": "ip_vs_del_dest", "flush": "ip_vs_flush",
}

// NewTrace starts to record.
func NewTrace() (*Trace, error) {
	var probes strings.Builder
	for event, function := range traced {
		fmt.Fprintf(&probes, "p:director/%s %s\n", event, function)
	}
	// Probes can only be replaced while none is in use.
	os.WriteFile(filepath.Join(tracefs, "events/director/enable"), []byte("0"), 0)
	for _, setting := range [][2]string{
		{"tracing_on", "0"}, {"trace", "\n"}, {"kprobe_events", probes.String()},
		{"trace_clock", "mono"}, {"buffer_size_kb", "16384"},
		{"events/director/enable", "1"}, {"tracing_on", "1"},
	} {
		if err := os.WriteFile(filepath.Join(tracefs, setting[0]), []byte(setting[1]), 0); err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
	}
	return &Trace{}, nil
}

// Close stops recording.
func (t *Trace) Close() error {
	for _, file := range []string{"events/director/enable", "tracing_on"} {
		if err := os.WriteFile(filepath.Join(tracefs, file), []byte("0"), 0); err != nil {
			return fmt.Errorf("stop trace: %w", err)
		}
	}
	return nil
}

// Count returns how often each event has happened since NewTrace.
func (t *Trace) Count() (map[string]int, error) {
	data, err := os.ReadFile(filepath.Join(tracefs, "kprobe_profile"))
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 {
			if hits, err := strconv.Atoi(f[1]); err == nil {
				count[f[0]] = hits
			}
		}
	}
	return count, nil
}

// Traced is one event.
type Traced struct {
	Time time.Time
	Name string
}

// Events returns what has happened after since, in order.
func (t *Trace) Events(since time.Time) ([]Traced, error) {
	data, err := os.ReadFile(filepath.Join(tracefs, "trace"))
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	var clock unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock); err != nil {
		return nil, fmt.Errorf("read clock: %w", err)
	}
	boot := time.Now().Add(-time.Duration(clock.Nano())) // when the kernel's clock was zero
	var events []Traced
	for line := range strings.Lines(string(data)) {
		at, name, ok := parseTraced(line)
		if e := (Traced{boot.Add(at), name}); ok && e.Time.After(since) {
			events = append(events, e)
		}
	}
	return events, nil
}

// parseTraced reads a line like
// "director-97 [001] ..... 12.345678: add_dest: (ip_vs_add_dest+0x0/0x3c0 [ip_vs])".
func parseTraced(line string) (at time.Duration, name string, ok bool) {
	head, _, found := strings.Cut(line, ": (")
	if !found || strings.HasPrefix(line, "#") {
		return 0, "", false
	}
	head, name, found = cutLast(head, ": ")
	if !found {
		return 0, "", false
	}
	fields := strings.Fields(head)
	seconds, err := strconv.ParseFloat(fields[len(fields)-1], 64)
	if err != nil {
		return 0, "", false
	}
	return time.Duration(seconds * float64(time.Second)), name, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
