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

// hookRun is one hook that is due: of a group, a sync group, a virtual server
// or a real server, which has its virtual server named, too.
type hookRun struct {
	group, syncGroup          string
	virtualServer, realServer string
	state, reason             string
	hook                      conf.Hook
	priority                  uint8 // of a group, effective
}

// runHook has a hook run in its turn.
func (e *Engine) runHook(h hookRun) {
	if h.realServer != "" {
		e.realHooks.add(h)
		return
	}
	if !e.hooks.add(h) {
		e.hooks.dropped++
		e.event(h.event(fmt.Sprintf("left out: %d hooks are waiting already", hookQueueSize)))
	}
}

// takeHook takes note that a hook has ended, or of what a named pipe tells.
func (e *Engine) takeHook(ev Event) {
	if ev.Error != "" && ev.To != "" {
		e.hooks.failed++
	}
	e.event(ev)
	if ev.RealServer != "" {
		e.realHooks.ended(realKey{ev.VirtualServer, ev.RealServer})
	}
}

// hookStatus tells how the hooks keep up.
func (e *Engine) hookStatus() HookStatus {
	return HookStatus{Running: e.realHooks.running, Waiting: e.realHooks.waiting + len(e.hooks.due),
		Failed: e.hooks.failed, Dropped: e.hooks.dropped + e.realHooks.dropped}
}

// hookQueue runs the hooks of all but real servers one after the other, each awaited, in the order in which
// the states were entered, so that the last one run tells the present state.
type hookQueue struct {
	due  chan hookRun
	done chan Event // also of those that are not in this queue

	failed, dropped uint64 // of the engine
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
	if h.hook.Keepalived {
		command.Argv = append(slices.Clone(command.Argv), h.keepalived()...)
	}
	start := time.Now()
	exit, output, err := checks.RunCommand(ctx, command)
	ev := h.event("")
	ev.Reason, ev.Latency = firstLine(output), time.Since(start)
	switch {
	case err != nil:
		ev.Error = err.Error()
	case exit != 0:
		ev.Error = fmt.Sprintf("exit status %d", exit)
	}
	return ev
}

// event is what is told of the hook.
func (h hookRun) event(problem string) Event {
	return Event{Kind: KindHook, Group: h.group, SyncGroup: h.syncGroup, VirtualServer: h.virtualServer, RealServer: h.realServer, To: h.state, Error: problem}
}

// keepalived returns the arguments that keepalived's notify_script_exec
// (keepalived/vrrp/vrrp_notify.c) adds.
func (h hookRun) keepalived() []string {
	switch {
	case h.group != "":
		return []string{"INSTANCE", h.group, h.state, strconv.Itoa(int(h.priority))}
	case h.syncGroup != "":
		return []string{"GROUP", h.syncGroup, h.state, "0"}
	}
	return nil
}

// environment tells the command what it is about.
func (h hookRun) environment() []string {
	env := []string{"DIRECTOR_STATE=" + h.state}
	for _, v := range [...]struct{ name, value string }{
		{"DIRECTOR_GROUP", h.group}, {"DIRECTOR_SYNC_GROUP", h.syncGroup},
		{"DIRECTOR_VIRTUAL_SERVER", h.virtualServer}, {"DIRECTOR_REAL_SERVER", h.realServer},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	if h.virtualServer != "" {
		env = append(env, "DIRECTOR_REASON="+h.reason)
	}
	return env
}

// firstLine returns the first line of a command's output.
func firstLine(output []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(output), []byte{'\n'})
	return string(bytes.TrimSpace(line))
}
