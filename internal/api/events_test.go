package api

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/internal/engine"
)

func TestEventsOfThePast(t *testing.T) {
	t.Parallel()
	at := someEvents()[0].Time
	tests := []struct {
		name  string
		query Query
		want  []uint64
	}{
		{"all", Query{}, []uint64{1, 2, 3, 4, 5}},
		{"the newest two", Query{Recent: 2}, []uint64{4, 5}},
		{"after one", Query{After: 3}, []uint64{4, 5}},
		{"since a time", Query{Since: at.Add(3 * time.Minute)}, []uint64{4, 5}},
		{"one kind", Query{Kinds: []engine.Kind{engine.KindReal}}, []uint64{3, 5}},
		{"two kinds", Query{Kinds: []engine.Kind{engine.KindReal, engine.KindRole}}, []uint64{3, 4, 5}},
		{"the newest of a kind", Query{Recent: 1, Kinds: []engine.Kind{engine.KindCheck}}, []uint64{2}},
		{"virtual server", Query{VirtualServer: "web"}, []uint64{2, 3}},
		{"real server", Query{RealServer: "10.0.0.11:80"}, []uint64{2, 3}},
		{"real server by host", Query{RealServer: "10.0.0.11"}, []uint64{2, 3}},
		{"real server by IPv6 host", Query{RealServer: "2001:db8::1"}, []uint64{5}},
		{"group", Query{Group: "front"}, []uint64{4}},
		{"check", Query{Check: "healthz"}, []uint64{2}},
		{"nothing", Query{VirtualServer: "web", Group: "front"}, nil},
	}
	d := startDaemon(t)
	d.journal.past = someEvents()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := collect(t, d.client.Events(t.Context(), test.query))
			if diff := cmp.Diff(test.want, sequence(got)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever knows an event that this run of the daemon has not had is told so, and all.
func TestEventsAfterARestart(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.journal.past = someEvents()
	go func() { d.journal.live <- engine.Event{Seq: 6, Kind: engine.KindReal} }()
	var got []uint64
	for e, err := range d.client.Events(t.Context(), Query{After: 5000, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Seq); e.Seq == 0 && (e.Kind != KindGap || !strings.Contains(e.Reason, "no event 5000")) {
			t.Errorf("first %+v, want a gap", e)
		}
		if len(got) == 7 {
			break
		}
	}
	if diff := cmp.Diff([]uint64{0, 1, 2, 3, 4, 5, 6}, got); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

func TestEventsSurviveTheWire(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.journal.past = []engine.Event{{
		Seq: 7, Time: time.Date(2026, 11, 23, 7, 0, 0, 123456789, time.UTC), Kind: engine.KindCheck,
		VirtualServer: "web", RealServer: "10.0.0.11:80", Group: "g", Check: "healthz", Session: "core",
		From: "up", To: "down", Reason: "http status 503, wanted 200-299 <b>", Status: "503",
		Latency: 12 * time.Millisecond, Error: "e",
	}}
	got := collect(t, d.client.Events(t.Context(), Query{}))
	if diff := cmp.Diff(d.journal.past, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The stream goes on after the past, filters, and says where events were lost.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.journal.past = someEvents()
	live := []engine.Event{
		{Seq: 6, Kind: engine.KindReal, VirtualServer: "web"},
		{Seq: 7, Kind: engine.KindRole, Group: "front"},        // not wanted
		{Seq: 10, Kind: engine.KindRole, Group: "front"},       // not wanted, but two are lost
		{Seq: 11, Kind: engine.KindReal, VirtualServer: "web"}, // no gap: 10 was seen
	}
	go func() {
		for _, e := range live {
			d.journal.live <- e
		}
	}()
	type line struct {
		Seq  uint64
		Kind engine.Kind
	}
	want := []line{{5, engine.KindReal}, {6, engine.KindReal}, {9, KindGap}, {11, engine.KindReal}}
	var got []line
	query := Query{Recent: 1, Follow: true, Kinds: []engine.Kind{engine.KindReal}}
	for e, err := range d.client.Events(t.Context(), query) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line{e.Seq, e.Kind})
		if len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for range maxStreams {
		response, err := d.client.send(t.Context(), "GET", "/v1/events?follow=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
	}
	if response, err := d.client.send(t.Context(), "GET", "/v1/events?follow=true", nil); err == nil {
		response.Body.Close()
		t.Error("one more stream was taken")
	}
}

func TestQueryRoundTrip(t *testing.T) {
	t.Parallel()
	q := Query{
		Recent: 10, Follow: true, After: 99, Since: time.Date(2026, 11, 23, 7, 0, 0, 5, time.UTC),
		Kinds:         []engine.Kind{engine.KindCheck, engine.KindRole},
		VirtualServer: "web & co", RealServer: "[2001:db8::1]:80", Group: "front", Check: "healthz",
	}
	got, err := ParseQuery(q.Values())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(q, got); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("recent=10&follow=true&after=3&since=2026-11-23T07:00:00Z&kind=real&kind=check&virtual_server=web")
	f.Add("recent=-1")
	f.Add("since=&after=18446744073709551616")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := ParseQuery(values)
		if err != nil {
			return
		}
		again, err := ParseQuery(q.Values())
		if err != nil {
			t.Fatalf("%q: its own encoding is refused: %v", text, err)
		}
		if !q.Since.Equal(again.Since) {
			t.Fatalf("%q: since %v became %v", text, q.Since, again.Since)
		}
		q.Since, again.Since = time.Time{}, time.Time{}
		if diff := cmp.Diff(q, again); diff != "" {
			t.Fatalf("%q: round trip (-want +got):\n%s", text, diff)
		}
	})
}
