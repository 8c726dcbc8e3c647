package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Script is up when a command exits with status 0. The first line that it
// writes is the reason when it does not. See RunCommand for how it is run; in
// addition its environment has DIRECTOR_TIMEOUT, in seconds.
type Script struct {
	Command Command
}

// Kind returns "script".
func (Script) Kind() string { return "script" }

// Key implements Probe.
func (p Script) Key() string { return digest(p.Kind(), p) }

// limit bounds the processes that checks may start at the same time.
func (Script) limit() int { return 128 }

// Run implements Probe.
func (p Script) Run(ctx context.Context) Observation {
	a := newAttempt(ctx)
	command := p.Command
	if a.limit > 0 {
		seconds := strconv.FormatFloat(a.limit.Seconds(), 'f', -1, 64)
		command.Env = append(append([]string{}, command.Env...), "DIRECTOR_TIMEOUT="+seconds)
	}
	exit, output, err := RunCommand(ctx, command)
	seen := Observation{Latency: time.Since(a.begin)}
	line := firstLine(output)
	switch {
	case errors.Is(err, ErrKilled):
		seen.Status = "killed"
		seen.Reason = fmt.Sprintf("no exit in %v, killed", a.limit)
	case notRun(err):
		seen.Reason, seen.Ours = err.Error(), true
	case err != nil:
		seen.Status = err.Error()
		seen.Reason = err.Error()
	case exit == 0:
		seen.OK, seen.Status = true, line
		return seen
	default:
		seen.Status = fmt.Sprintf("exit status %d", exit)
		seen.Reason = seen.Status
	}
	if line != "" {
		seen.Reason += ": " + line
	}
	return seen
}

func notRun(err error) bool {
	_, ok := errors.AsType[notStarted](err)
	return ok
}

// firstLine returns the first line of output that is not empty, cut to what
// fits in a status and without what could garble a terminal.
func firstLine(output []byte) string {
	const longest = 200
	for line := range bytes.Lines(output) {
		text := strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, strings.ToValidUTF8(string(line), "?"))
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if runes := []rune(text); len(runes) > longest {
			text = string(runes[:longest]) + "…"
		}
		return text
	}
	return ""
}
