package engine

import "fmt"

const (
	// realHooksAtOnce bounds how many hooks of real servers run at once: a rack
	// that fails must not take this machine along.
	realHooksAtOnce = 16

	// realHooksWaiting bounds how many hooks of one real server wait. Of one that
	// flaps faster than its hooks run, the oldest are left out: what is told last
	// is always the present state.
	realHooksWaiting = 8
)

// realKey names a real server of a virtual server.
type realKey struct{ virtualServer, realServer string }

// realHooks runs the hooks of real servers: those of one real server one after
// the other, in the order of what has happened to it; those of different ones
// side by side, as many as realHooksAtOnce, who came first goes first. They
// have no part in the order of hookQueue, since thousands may be due at once,
// and a change of mastership must not wait for them. All is the engine's
// goroutine's but the commands themselves.
type realHooks struct {
	run     func(hookRun)         // runs one in the background; the engine is told of its end
	left    func(hookRun, string) // tells of one that is left out, and why
	servers map[realKey][]hookRun // those that wait, for each that has any waiting or one that runs
	next    []realKey             // of those that wait and have none that runs, in order

	running, waiting int
	dropped          uint64
}

// key names the real server that the hook is about.
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
		q.next = append(q.next, key)
	}
	q.start()
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

// ended takes note that a hook of the real server has ended.
func (q *realHooks) ended(key realKey) {
	q.running--
	if len(q.servers[key]) == 0 {
		delete(q.servers, key)
	} else {
		q.next = append(q.next, key)
	}
	q.start()
}
