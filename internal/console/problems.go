package console

import (
	"fmt"
	"strings"

	"github.com/lvs-director/director/internal/engine"
)

// Severity says how much a Problem matters.
type Severity uint8

// The severities, the worst last.
const (
	Note     Severity = iota // somebody wanted it so; worth knowing
	Warning                  // less capacity or less safety, but served
	Critical                 // somebody is not served, or soon will not be
)

// Problem is one thing that is not as it should be.
type Problem struct {
	Severity Severity
	Text     string // may have several lines
}

// Matters tells whether somebody should look at it.
func (p Problem) Matters() bool { return p.Severity >= Warning }

// Problems lists what is wrong, the worst first. One real server that is down
// for one reason in many virtual servers is one problem.
func (s Style) Problems(status *engine.Status) []Problem {
	var list []Problem
	add := func(severity Severity, format string, args ...any) {
		list = append(list, Problem{severity, fmt.Sprintf(format, args...)})
	}
	s.ofDaemon(status, add)
	s.ofGroups(status.VRRP, add)
	s.ofSessions(status.BFD, add)
	for _, v := range status.VirtualServers {
		switch {
		case v.State == "down":
			add(Critical, "virtual server %s is down for %s: %s", v.Name, s.since(v.Since), reasonOr(v.Reason, "no reason given"))
		case v.Panics:
			add(Critical, "virtual server %s panics: too few servers are up to believe it, those that were up last are kept", v.Name)
		case v.SorryInUse:
			add(Critical, "virtual server %s is on its sorry server: %s", v.Name, reasonOr(v.Reason, "no reason given"))
		}
	}
	list = append(list, s.ofReals(status.VirtualServers)...)
	var sorted []Problem
	for _, severity := range []Severity{Critical, Warning, Note} {
		for _, p := range list {
			if p.Severity == severity {
				sorted = append(sorted, p)
			}
		}
	}
	return sorted
}

func (s Style) ofDaemon(status *engine.Status, add func(Severity, string, ...any)) {
	if k := status.Kernel; !k.InSync {
		add(Critical, "kernel not in sync: %s", reasonOr(k.LastError, "not compared yet"))
	}
	if c := status.Checks; c.Late {
		add(Warning, "checks are late for %s: %s", s.since(c.Since), c.Reason)
	}
	for _, f := range status.FIFOs {
		if f.Full {
			add(Warning, "notify_fifo %s: its reader is absent or too slow: %d lines dropped", clean(f.Path), f.Dropped)
		}
	}
	if c := status.Config; c.LastError != "" {
		add(Warning, "reload refused %s, the old configuration runs on:\n%s", s.ago(c.LastErrorAt), lines(c.LastError))
	}
}

func (s Style) ofGroups(v engine.VRRPStatus, add func(Severity, string, ...any)) {
	if len(v.Groups) > 0 && !v.Connected {
		add(Critical, "the VRRP process does not answer; what follows of groups is old")
	}
	for _, p := range v.Problems {
		add(Warning, "vrrp: %s", clean(p))
	}
	for _, g := range v.Groups {
		if g.State == "FAULT" {
			add(Critical, "group %s is FAULT for %s: %s", g.Name, s.since(g.Since), reasonOr(g.Reason, "no reason given"))
		}
		if g.Split != "" {
			add(Critical, "group %s has two masters: also %s", g.Name, clean(g.Split))
		}
		for _, t := range g.Tracks {
			if t.Changes != nil {
				add(Note, "track %s %s of group %s counts as %s for %s more, unless it is so again", t.Kind, clean(t.Name), g.Name, t.State, span(t.Changes.Sub(s.Now)))
			}
		}
		if g.Stranger != "" {
			add(Critical, "an address of group %s is somebody else's, too: %s", g.Name, clean(g.Stranger))
		}
	}
}

func (s Style) ofSessions(b *engine.BFDStatus, add func(Severity, string, ...any)) {
	if b == nil {
		return
	}
	for _, p := range b.Problems {
		add(Warning, "bfd: %s", clean(p))
	}
	for _, f := range b.Sessions {
		if f.State != "up" && f.State != "unknown" {
			add(Warning, "bfd session %s is down for %s: %s", f.Name, s.since(f.Since), reasonOr(joined("; ", f.Reason, f.Problem), "no reason given"))
		}
	}
}

// ofReals lists the real servers that are down or overridden.
func (s Style) ofReals(list []*engine.ServiceStatus) []Problem {
	type key struct {
		severity     Severity
		what, reason string
	}
	users := map[key][]string{}
	var order []key
	note := func(k key, v *engine.ServiceStatus) {
		if users[k] == nil {
			order = append(order, k)
		}
		users[k] = append(users[k], v.Name)
	}
	for _, v := range list {
		if r := v.Sorry; r != nil && r.State == "down" {
			note(key{Warning, fmt.Sprintf("sorry server %s is down for %s", r.Address, s.since(r.Since)), reasonOf(r)}, v)
		}
		for _, r := range v.Reals {
			var k key
			switch {
			case r.Maintenance != "":
				k = key{Note, fmt.Sprintf("real server %s is in maintenance: file %s", r.Address, r.Maintenance), ""}
			case r.Override != "":
				k = key{Note, fmt.Sprintf("real server %s has the override %s", r.Address, overridden(r)), ""}
			case r.State == "down":
				k = key{Warning, fmt.Sprintf("real server %s is down for %s", r.Address, s.since(r.Since)), reasonOf(r)}
			default:
				continue
			}
			note(k, v)
		}
	}
	problems := make([]Problem, len(order))
	for i, k := range order {
		text := k.what + " (" + named(users[k], 3) + ")"
		problems[i] = Problem{k.severity, joined(": ", text, k.reason)}
	}
	return problems
}

// reasonOf is the real server's own reason, or that of its first check that is down.
func reasonOf(r *engine.RealStatus) string {
	if r.Reason != "" {
		return clean(r.Reason)
	}
	for _, c := range r.Checks {
		if c.State == "down" {
			return clean(joined(": ", c.Name, c.Reason))
		}
	}
	return ""
}

// named lists the first n names and how many more there are.
func named(names []string, n int) string {
	if len(names) <= n+1 { // "and 1 more" is no shorter than the one
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

func reasonOr(reason, other string) string {
	if reason == "" {
		return other
	}
	return clean(reason)
}

// lines cleans each line of a diagnostic and keeps the lines.
func lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if line = clean(line); line != "" {
			b.WriteString(strings.Repeat(" ", indent) + line)
		}
	}
	return b.String()
}
