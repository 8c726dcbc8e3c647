package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hookLog is a realHooks whose commands end when the test says.
type hookLog struct {
	realHooks
	started, leftOut []string
}

func newHookLog() *hookLog {
	l := &hookLog{}
	name := func(h hookRun) string { return h.realServer + " " + h.state }
	l.run = func(h hookRun) { l.started = append(l.started, name(h)) }
	l.left = func(h hookRun, _ string) { l.leftOut = append(l.leftOut, name(h)) }
	return l
}

func (l *hookLog) due(server, state string) {
	l.add(hookRun{virtualServer: "web", realServer: server, state: state})
}
func (l *hookLog) end(server string) { l.ended(realKey{"web", server}) }

// A thousand servers that fail and return run a few hooks at a time, each
// server's in the order of what happened to it, and all of them in the end.
func TestRealHooksStorm(t *testing.T) {
	l := newHookLog()
	const servers = 1000
	for _, state := range []string{"down", "up"} {
		for i := range servers {
			l.due(fmt.Sprint(i), state)
		}
	}
	if l.running != realHooksAtOnce || l.waiting != 2*servers-realHooksAtOnce {
		t.Fatalf("%d run, %d wait", l.running, l.waiting)
	}
	told := make(map[string][]string)
	for i := 0; i < len(l.started); i++ {
		if at := len(l.started) - i; at > realHooksAtOnce {
			t.Fatalf("%d run at once", at)
		}
		server, state, _ := strings.Cut(l.started[i], " ")
		told[server] = append(told[server], state)
		l.end(server)
	}
	for i := range servers {
		if got := told[fmt.Sprint(i)]; !slices.Equal(got, []string{"down", "up"}) {
			t.Fatalf("server %d was told %v", i, got)
		}
	}
	if l.running != 0 || l.waiting != 0 || len(l.servers) != 0 || l.dropped != 0 {
		t.Errorf("in the end %d run, %d wait, %d servers, %d left out", l.running, l.waiting, len(l.servers), l.dropped)
	}
}

// Of a server that flaps faster than its hooks run the oldest are left out, and
// nobody else waits for it.
func TestRealHooksFlapping(t *testing.T) {
	l := newHookLog()
	for i := range realHooksWaiting + 3 {
		l.due("a", fmt.Sprint(i))
	}
	l.due("b", "down")
	if diff := cmp.Diff([]string{"a 0", "b down"}, l.started); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a 1", "a 2"}, l.leftOut); diff != "" || l.dropped != 2 {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	for range realHooksWaiting + 1 {
		l.end("a")
	}
	if last, want := l.started[len(l.started)-1], fmt.Sprintf("a %d", realHooksWaiting+2); last != want || l.running != 1 {
		t.Errorf("the last is %q, want %q; %d run", last, want, l.running)
	}
}

// Among a thousand real servers that wait, a virtual server is the next.
func TestRealHooksPutVirtualServersFirst(t *testing.T) {
	l := newHookLog()
	for i := range 1000 {
		l.due(fmt.Sprint(i), "down")
	}
	l.add(hookRun{virtualServer: "web", state: "down"})
	l.add(hookRun{virtualServer: "web", state: "up"})
	l.add(hookRun{virtualServer: "mail", state: "down"})
	l.started = nil
	for range 3 {
		l.end(fmt.Sprint(len(l.started)))
	}
	if diff := cmp.Diff([]string{" down", " down", "16 down"}, l.started); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	l.started = nil
	l.end("")
	if diff := cmp.Diff([]string{" up"}, l.started); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
}
