package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Agent asks a program beside the real server how it is, in HAProxy's agent
// protocol: one line with any of the words up, ready, down, failed, stopped,
// maint, drain, in capitals or not, a percentage of the weight, and after a # why.
//
// A percentage is of Weight, which is the real server's as configured; drain
// and 0% are weight 0. A drain holds against any percentage in its line, and
// ready after it takes it back. HAProxy's maxconn is ignored.
type Agent struct {
	Target netip.AddrPort
	Route  Route
	Send   string // sent first; may be empty
	Weight int    // that 100% stands for
}

// Kind returns "agent".
func (Agent) Kind() string { return "agent" }

// Key implements Probe.
func (p Agent) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p Agent) Run(ctx context.Context) Observation {
	t := startTalk(ctx, p.Target, p.Route, nil, "agent")
	p.converse(t)
	return t.verdict()
}

func (p Agent) converse(t *talk) {
	t.send(p.Send)
	line := t.lastLine()
	if !t.ended {
		seen := parseAgent(line, p.Weight)
		t.seen.Status, t.seen.Weight = seen.Status, seen.Weight
		if !seen.OK {
			t.fail("%s", seen.Reason)
		}
	}
}

// lastLine is line for those who may close without having ended it.
func (t *talk) lastLine() string {
	const longest = 1 << 10
	var err error
	for !t.ended {
		line, _, whole := bytes.Cut(t.came, []byte{'\n'})
		switch {
		case len(line) > longest:
			t.fail("a line of more than %d bytes", longest)
		case whole, errors.Is(err, io.EOF) && len(line) > 0:
			return strings.TrimSpace(string(line))
		case err != nil:
			t.broken(err)
		default:
			err = t.read()
		}
	}
	return ""
}

// parseAgent says what an agent's line means.
func parseAgent(line string, full int) Observation {
	words, why, _ := strings.Cut(line, "#")
	why = strings.TrimSpace(why)
	seen := Observation{OK: true, Status: firstLine([]byte(line))}
	weigh := func(w int) { seen.Weight = &w }
	known, drain := false, false
	for _, word := range strings.FieldsFunc(words, func(r rune) bool { return strings.ContainsRune(" \t\r,", r) }) {
		known = true
		switch state := strings.ToLower(word); {
		case state == "up":
		case state == "ready" || state == "drain":
			drain = state == "drain"
		case state == "down" || state == "failed" || state == "stopped" || state == "fail" || state == "maint":
			seen.OK = false
			seen.Reason = state
			if why != "" {
				seen.Reason += ": " + firstLine([]byte(why))
			}
		case strings.HasSuffix(state, "%"):
			percent, err := strconv.Atoi(strings.TrimSuffix(state, "%"))
			if err != nil || percent < 0 || percent > 256*100 {
				return Observation{Reason: fmt.Sprintf("no percentage: %s", shorten([]byte(word)))}
			}
			// Rounded up: only 0% means nothing at all.
			weigh((full*percent + 99) / 100)
		case strings.HasPrefix(state, "maxconn:"):
		default:
			return Observation{Reason: "unknown word " + shorten([]byte(word))}
		}
	}
	if !known {
		return Observation{Reason: "empty answer"}
	}
	if drain {
		weigh(0)
	}
	return seen
}
