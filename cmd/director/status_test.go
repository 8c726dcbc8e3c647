package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/internal/api"
)

// firstScreens is an output that is closed after some screens.
type firstScreens struct {
	text  strings.Builder // not embedded: io.WriteString would go past Write
	left  int
	close func()
}

func (f *firstScreens) Write(p []byte) (int, error) {
	if f.left--; f.left == 0 {
		f.close()
	}
	return f.text.Write(p)
}

// --watch shows the status again and again, says when nobody answers, and ends
// with its context, which a signal cancels.
func TestWatch(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	r.awaitStatus(t, "web up", webIsUp)
	client := api.NewClient(r.socket)
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &firstScreens{left: 3, close: cancel}
	f := statusFlags{interval: time.Millisecond}
	if err := f.repeat(ctx, client, nil, out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.text.String(), "web up"); n != 3 {
		t.Errorf("%d screens, want 3:\n%s", n, out.text.String())
	}
	if err := f.repeat(t.Context(), client, []string{"wbe"}, out); err == nil || err.Error() != `no virtual server "wbe"` {
		t.Errorf("a name that is none: %v", err)
	}
}

func TestWatchWithoutADaemon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := api.NewClient("/nonexistent/director.sock")
		defer client.Close()
		ctx, cancel := context.WithCancel(t.Context())
		out := &firstScreens{left: 2, close: cancel}
		f := statusFlags{interval: time.Second}
		if err := f.repeat(ctx, client, nil, out); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.text.String(), "no director is running"); n != 2 {
			t.Errorf("output:\n%s", out.text.String())
		}
	})
}
