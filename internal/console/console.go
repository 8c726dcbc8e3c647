// Package console is how Director's status and events look on a terminal.
//
// Everything here is a pure function from the engine's snapshot or event to
// text. What is wrong stands first, with its reason and for how long; what is
// well follows. Text that came from outside (a script's output, a server's
// answer) is shown without its control characters, so that it cannot play
// tricks on the operator's terminal.
package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Style says how text may look.
type Style struct {
	Color bool      // escape sequences for colour are understood
	Now   time.Time // what "for 12s" counts to
}

// The escape sequences of ECMA-48 that every terminal knows.
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

// paint colours text, if colours are understood.
func (s Style) paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return color + text + reset
}

// colorOf returns the colour of a state's name.
func colorOf(state string) string {
	switch state {
	case "up", "MASTER", "taken":
		return green
	case "down", "FAULT", "refused", "gap":
		return red
	case "unknown", "init", "INIT", "drain", "disable":
		return yellow
	}
	return ""
}

// ago says how long ago t was, or that it never was.
func (s Style) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return s.since(t) + " ago"
}

// since says for how long t is past, "12s", or "-" for a time that never was.
func (s Style) since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return span(s.Now.Sub(t))
}

// span is a duration in the two units that matter: 12s, 5m10s, 3h12m, 4d.
func span(d time.Duration) string {
	d = max(d, 0)
	units := [...]struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d%s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += fmt.Sprintf("%d%s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0s"
}

// latency is a probe's duration to three digits: 850µs, 12.3ms, 1.25s.
func latency(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// clean makes one line of printable characters out of any text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '·'
	}, strings.TrimSpace(text))
}

// joined is the parts that are not empty, with a separator between them.
func joined(separator string, parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(separator)
		}
		b.WriteString(p)
	}
	return b.String()
}
