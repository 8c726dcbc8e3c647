package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lvs-director/director/internal/engine"
)

// MaxRecent bounds how many past events one request may ask for.
const MaxRecent = 100_000

// Query says which events a reader wants. The zero value is every event that
// the journal still holds, and no new ones.
type Query struct {
	Recent int    // at most so many past events, the newest; 0 is all
	Follow bool   // go on with new events
	After  uint64 // only events with a greater sequence number

	Since         time.Time // only events of that time and later; zero is any
	Kinds         []engine.Kind
	VirtualServer string
	RealServer    string
	Group         string // or sync group
	Check         string
	Session       string
}

// Match reports whether the query wants e. Recent and Follow play no part.
//
// A real server is named as the status names it, "10.0.0.11:80", or by its
// host alone, "10.0.0.11", which stands for every port.
func (q Query) Match(e engine.Event) bool {
	switch {
	case e.Seq <= q.After,
		!q.Since.IsZero() && e.Time.Before(q.Since),
		len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind),
		q.VirtualServer != "" && e.VirtualServer != q.VirtualServer,
		q.RealServer != "" && e.RealServer != q.RealServer && hostOf(e.RealServer) != q.RealServer,
		q.Group != "" && e.Group != q.Group && e.SyncGroup != q.Group,
		q.Check != "" && e.Check != q.Check,
		q.Session != "" && e.Session != q.Session:
		return false
	}
	return true
}

// hostOf returns the host of "10.0.0.11:80" or "[2001:db8::1]:80".
func hostOf(address string) string {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address
	}
	return strings.Trim(address[:i], "[]")
}

// Values encodes the query as the parameters of GET /v1/events.
func (q Query) Values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.Recent > 0 {
		v.Set("recent", strconv.Itoa(q.Recent))
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	if q.After > 0 {
		v.Set("after", strconv.FormatUint(q.After, 10))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	for _, kind := range q.Kinds {
		v.Add("kind", string(kind))
	}
	set("virtual_server", q.VirtualServer)
	set("real_server", q.RealServer)
	set("group", q.Group)
	set("check", q.Check)
	set("session", q.Session)
	return v
}

// ParseQuery decodes the parameters of GET /v1/events. A parameter it does not
// know is an error, so that a misspelt filter never shows everything.
func ParseQuery(values url.Values) (Query, error) {
	var q Query
	for key, list := range values {
		for _, value := range list {
			if err := q.set(key, value); err != nil {
				return Query{}, err
			}
		}
	}
	// A map has no order, but a query should be one value for one meaning.
	slices.Sort(q.Kinds)
	q.Kinds = slices.Compact(q.Kinds)
	return q, nil
}

func (q *Query) set(key, value string) (err error) {
	switch key {
	case "recent":
		q.Recent, err = strconv.Atoi(value)
		if err == nil && (q.Recent < 0 || q.Recent > MaxRecent) {
			err = fmt.Errorf("%d is not within 0–%d", q.Recent, MaxRecent)
		}
	case "follow":
		q.Follow, err = strconv.ParseBool(value)
	case "after":
		q.After, err = strconv.ParseUint(value, 10, 64)
	case "since":
		q.Since, err = time.Parse(time.RFC3339Nano, value)
	case "kind":
		q.Kinds = append(q.Kinds, engine.Kind(value))
	case "virtual_server":
		q.VirtualServer = value
	case "real_server":
		q.RealServer = value
	case "group":
		q.Group = value
	case "check":
		q.Check = value
	case "session":
		q.Session = value
	default:
		return fmt.Errorf("unknown parameter %q", key)
	}
	if err != nil {
		return fmt.Errorf("parse parameter %q: %w", key, err)
	}
	return nil
}
