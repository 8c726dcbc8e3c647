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
	Exit    ExitStatus // how its exit status is read
	// DynamicWeight: the first word that it writes, a whole number, is the
	// weight that it asks for when it is up.
	DynamicWeight bool
}

// ExitStatus is a convention for what the exit status of a script means.
type ExitStatus uint8

// The conventions.
const (
	// ExitPlain is 0 for up; all else is down.
	ExitPlain ExitStatus = iota
	// ExitNagios is 0 and 1 (a warning) for up; all else is down.
	ExitNagios
	// ExitKeepalived is 0 for up, 1 for down, and from 2 on it is up and asks
	// for a weight that is 2 less.
	ExitKeepalived
)

// read says what an exit status means.
func (e ExitStatus) read(exit int) (up bool, weight *int) {
	switch {
	case e == ExitNagios:
		return exit <= 1, nil
	case e == ExitKeepalived && exit >= 2:
		w := exit - 2
		return true, &w
	}
	return exit == 0, nil
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
	case errors.Is(err, errLastRun): // no exit in its time, and still none
		seen.Status = "killed"
		seen.Reason = errLastRun.Error()
	case notRun(err):
		seen.Reason, seen.Ours = err.Error(), true
	case err != nil:
		seen.Status = err.Error()
		seen.Reason = err.Error()
	default:
		if seen.OK, seen.Weight = p.Exit.read(exit); seen.OK {
			seen.Status = line
			return p.weigh(seen)
		}
		seen.Status = fmt.Sprintf("exit status %d", exit)
		seen.Reason = seen.Status
	}
	if line != "" {
		seen.Reason += ": " + line
	}
	return seen
}

// weigh takes the weight from what the script wrote.
func (p Script) weigh(seen Observation) Observation {
	if !p.DynamicWeight {
		return seen
	}
	word, _, _ := strings.Cut(seen.Status, " ")
	weight, ok := parseWeight(word)
	if !ok {
		return Observation{Reason: fmt.Sprintf("no weight in %q", seen.Status), Status: seen.Status, Latency: seen.Latency}
	}
	seen.Weight = &weight
	return seen
}

// parseWeight reads a weight as IPVS knows it.
func parseWeight(s string) (weight int, ok bool) {
	const most = 65535
	weight, err := strconv.Atoi(s)
	return weight, err == nil && weight >= 0 && weight <= most
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
