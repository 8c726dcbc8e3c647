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

// hookQueueSize bounds how many hooks of groups and sync groups wait. When more
// are due than their commands can do, the oldest are left out; but never the last
// one of a group, which tells the present state.
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
	if h.virtualServer != "" {
		e.realHooks.add(h)
	} else {
		e.hooks.add(h)
	}
}

// takeHook takes note that a hook has ended, or of what a named pipe tells.
func (e *Engine) takeHook(ev Event) {
	if ev.Error != "" && ev.To != "" {
		e.hooks.failed++
	}
	e.event(ev)
	switch {
	case ev.VirtualServer != "":
		e.realHooks.ended(realKey{ev.VirtualServer, ev.RealServer})
	case ev.To != "": // not of a named pipe
		e.hooks.ended()
	}
}

// hookStatus tells how the hooks keep up.
func (e *Engine) hookStatus() HookStatus {
	return HookStatus{Running: e.hooks.running + e.realHooks.running, Waiting: len(e.hooks.due) + e.realHooks.waiting,
		Failed: e.hooks.failed, Dropped: e.hooks.dropped + e.realHooks.dropped}
}

// hooksLeft is how many hooks have not ended.
func (e *Engine) hooksLeft() int {
	s := e.hookStatus()
	return s.Running + s.Waiting
}

// hookQueue runs the hooks of groups and sync groups one after the other, each awaited, in the order in which
// the states were entered, so that the last one run tells the present state. Nothing else is in it: a change of
// mastership waits for no other hooks. All is the engine's goroutine's but the commands themselves.
type hookQueue struct {
	run  func(hookRun)         // runs one in the background; the engine is told of its end
	left func(hookRun, string) // tells of one that is left out, and why
	done chan Event            // also of those that are not in this queue

	due             []hookRun
	running         int    // 0 or 1
	failed, dropped uint64 // of the engine; of this queue
}

func newHookQueue() hookQueue { return hookQueue{done: make(chan Event)} }

// add has a hook run in its turn.
func (q *hookQueue) add(h hookRun) {
	q.due = append(q.due, h)
	q.start()
	if len(q.due) > hookQueueSize {
		q.leaveOut()
	}
}

// leaveOut leaves out the oldest hook that a later one of the same group has
// outdated. If there is none, so many groups have something to tell.
func (q *hookQueue) leaveOut() {
	for i, h := range q.due {
		if slices.ContainsFunc(q.due[i+1:], func(later hookRun) bool { return later.group == h.group && later.syncGroup == h.syncGroup }) {
			q.due = slices.Delete(q.due, i, i+1)
			q.dropped++
			q.left(h, fmt.Sprintf("left out: %d hooks wait, and a later one of the same group", hookQueueSize))
			return
		}
	}
}

// start runs the next one if none runs.
func (q *hookQueue) start() {
	if q.running == 0 && len(q.due) > 0 {
		h := q.due[0]
		q.due = q.due[1:]
		q.running++
		q.run(h)
	}
}

// ended takes note that the one that ran has ended.
func (q *hookQueue) ended() {
	q.running--
	q.start()
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
