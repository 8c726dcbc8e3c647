package console

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lvs-director/director/internal/engine"
)

// subjectWidth is the column of what an event is about: as wide as a virtual
// server of some name and an IPv4 real server.
const subjectWidth = 30

// Event renders an event as one line: when, what kind, about whom, from what
// to what, and why. The time is in the given zone.
//
//	2026-11-23 07:55:30.123  real      web 10.0.0.11:80                up -> down: http status 503 [healthz]
func (s Style) Event(e engine.Event, zone *time.Location) string {
	subject := clean(joined(" ", e.Group, e.SyncGroup, e.VirtualServer, e.RealServer, e.Check, e.Session))
	change := s.paint(colorOf(e.To), clean(e.To))
	if e.From != "" {
		change = clean(e.From) + " -> " + change
	}
	text := joined(": ", change, clean(e.Reason), clean(e.Error))
	var seen string
	if e.Latency > 0 {
		seen = "in " + latency(e.Latency)
	}
	if seen = joined(" ", clean(e.Status), seen); seen != "" {
		text = joined(" ", text, "["+seen+"]")
	}
	if e.Operator != "" {
		text = joined(" ", text, "(by "+clean(e.Operator)+")")
	}
	kind := fmt.Sprintf("%-8s", clean(string(e.Kind)))
	if e.Kind == "gap" {
		kind = s.paint(red, kind)
	}
	pad := max(0, subjectWidth-utf8.RuneCountInString(subject))
	return fmt.Sprintf("%s  %s  %s%*s  %s",
		e.Time.In(zone).Format("2006-01-02 15:04:05.000"), kind, subject, pad, "", text)
}
