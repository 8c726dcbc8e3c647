package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

// hookQueueSize bounds how many hooks may wait: when more are due than their
// commands can do, the oldest story is still told in order.
const hookQueueSize = 256

// hookRun is one hook that is due: of a group or of a virtual server.
type hookRun struct {
	group, virtualServer string
	state, reason        string
	hook                 conf.Hook
	priority             uint8 // of a group, effective
}

// hookQueue runs hooks one after the other, each awaited, in the order in which
// the states were entered, so that the last one run tells the present state.
type hookQueue struct {
	due  chan hookRun
	done chan Event
}

func newHookQueue() hookQueue {
	return hookQueue{due: make(chan hookRun, hookQueueSize), done: make(chan Event)}
}

// add has a hook run, unless too many are due. It never blocks.
func (q *hookQueue) add(h hookRun) bool {
	select {
	case q.due <- h:
		return true
	default: // 256 hooks behind, each with its time limit: the newest state is told by the next change
		return false
	}
}

// run runs hooks until ctx is done.
func (q *hookQueue) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-q.due:
			ev := h.run(ctx)
			select {
			case q.done <- ev:
			case <-ctx.Done():
				return
			}
		}
	}
}

// run runs the hook's command and returns what became of it.
func (h hookRun) run(ctx context.Context) Event {
	ctx, cancel := context.WithTimeout(ctx, h.hook.Timeout)
	defer cancel()
	command := h.hook.Command
	command.Env = append(slices.Clone(command.Env), h.environment()...)
	if h.hook.Keepalived && h.group != "" {
		// As keepalived's notify_script_exec (keepalived/vrrp/vrrp_notify.c) has them.
		command.Argv = append(slices.Clone(command.Argv), "INSTANCE", h.group, h.state, strconv.Itoa(int(h.priority)))
	}
	start := time.Now()
	exit, output, err := checks.RunCommand(ctx, command)
	ev := Event{Kind: KindHook, Group: h.group, VirtualServer: h.virtualServer, To: h.state, Reason: firstLine(output), Latency: time.Since(start)}
	switch {
	case err != nil:
		ev.Error = err.Error()
	case exit != 0:
		ev.Error = fmt.Sprintf("exit status %d", exit)
	}
	return ev
}

// environment tells the command what it is about.
func (h hookRun) environment() []string {
	if h.virtualServer != "" {
		return []string{"DIRECTOR_VIRTUAL_SERVER=" + h.virtualServer, "DIRECTOR_STATE=" + h.state, "DIRECTOR_REASON=" + h.reason}
	}
	return []string{"DIRECTOR_GROUP=" + h.group, "DIRECTOR_STATE=" + h.state}
}

// firstLine returns the first line of a command's output.
func firstLine(output []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(output), []byte{'\n'})
	return string(bytes.TrimSpace(line))
}
