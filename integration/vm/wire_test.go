package vm

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEventsSurviveTheWire(t *testing.T) {
	events := []Event{
		{Step: 0, Stream: Began, Data: []byte{}},
		{Step: 0, Stream: Stdout, Data: []byte("hello\n")},
		{Step: 0, Stream: Stderr, Data: []byte("oh\x00no")},
		{Step: 0, Stream: Ended, Exit: Exit{Status: 137, Late: true, Elapsed: 3 * time.Second}},
		{Step: 500, Stream: Ended, Exit: Exit{Error: "no such program"}},
	}
	var wire bytes.Buffer
	for _, e := range events {
		if err := writeEvent(&wire, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range events {
		got, err := readEvent(&wire)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event changed on the wire (-want +got):\n%s", diff)
		}
	}
	if _, err := readEvent(&wire); !errors.Is(err, io.EOF) {
		t.Errorf("after the last event: %v, want EOF", err)
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte{byte(Stdout), 0, 0, 0, 0, 0, 1, 'x'})
	f.Add([]byte{byte(Ended), 0, 0, 0, 0, 0, 2, '{', '}'})
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, data []byte) {
		event, err := readEvent(bytes.NewReader(data))
		if err != nil {
			return
		}
		var wire bytes.Buffer
		if err := writeEvent(&wire, event); err != nil {
			t.Fatal(err)
		}
		again, err := readEvent(&wire)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(event, again); diff != "" {
			t.Errorf("event changed on the wire (-want +got):\n%s", diff)
		}
	})
}
