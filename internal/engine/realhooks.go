package engine

import (
	"fmt"
	"slices"
)

const (
	// realHooksAtOnce bounds how many hooks of servers run at once: a rack that
	// fails must not take this machine along.
	realHooksAtOnce = 16

	// realHooksWaiting bounds how many hooks of one server wait. Of one that
	// flaps faster than its hooks run, the oldest are left out: what is told last
	// is always the present state.
	realHooksWaiting = 8
)

// realKey names a real server of a virtual server, or without one the virtual server itself.
type realKey struct{ virtualServer, realServer string }

// realHooks runs the hooks of real servers and of virtual servers: those of one
// server one after the other, in the order of what has happened to it; those of
// different ones side by side, as many as realHooksAtOnce, who came first goes
// first, but virtual servers before real servers. They have no part in the order
// of hookQueue, since thousands may be due at once, and a change of mastership
// must not wait for them. All is the engine's goroutine's but the commands
// themselves.
type realHooks struct {
	run     func(hookRun)         // runs one in the background; the engine is told of its end
	left    func(hookRun, string) // tells of one that is left out, and why
	servers map[realKey][]hookRun // those that wait, for each that has any waiting or one that runs
	next    []realKey             // of those that wait and have none that runs, in order

	running, waiting int
	dropped          uint64
}

// key names the server that the hook is about.
func (h hookRun) key() realKey { return realKey{h.virtualServer, h.realServer} }

// add has a hook run in its turn.
func (q *realHooks) add(h hookRun) {
	key := h.key()
	list, busy := q.servers[key]
	if len(list) == realHooksWaiting {
		q.left(list[0], fmt.Sprintf("left out: %d later ones wait", realHooksWaiting))
		list = list[1:]
		q.waiting--
		q.dropped++
	}
	if q.servers == nil {
		q.servers = make(map[realKey][]hookRun)
	}
	q.servers[key] = append(list, h)
	q.waiting++
	if !busy {
		q.line(key)
	}
	q.start()
}

// line has a server wait for its turn. The quorum of a virtual server says more
// than any of its real servers, of which a thousand may wait.
func (q *realHooks) line(key realKey) {
	at := len(q.next)
	if key.realServer == "" {
		if i := slices.IndexFunc(q.next, func(k realKey) bool { return k.realServer != "" }); i >= 0 {
			at = i
		}
	}
	q.next = slices.Insert(q.next, at, key)
}

// start runs what there is room for.
func (q *realHooks) start() {
	for len(q.next) > 0 && q.running < realHooksAtOnce {
		key := q.next[0]
		q.next = q.next[1:]
		list := q.servers[key]
		q.servers[key] = list[1:]
		q.waiting--
		q.running++
		q.run(list[0])
	}
}

// ended takes note that a hook of the server has ended.
func (q *realHooks) ended(key realKey) {
	q.running--
	if len(q.servers[key]) == 0 {
		delete(q.servers, key)
	} else {
		q.line(key)
	}
	q.start()
}
