package conf

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lvs-director/director/checks"
)

// hook is a block hook as decoded.
type hook struct{ Hook }

var groupHookSchema = schema[hook]{
	kind:   "hook",
	labels: []string{"a state (master, backup, fault)"},
	doc:    "A program that is run when the group has entered the state. In its environment are `DIRECTOR_GROUP` and `DIRECTOR_STATE`.",
	start:  defaultHook,
	keys: append([]key[hook]{
		choice("arguments", []word[bool]{{"none", false}, {"keepalived", true}}, func(h *hook) *bool { return &h.Keepalived },
			"what is added to the arguments of the command. `keepalived`: its four of a `notify` script, `INSTANCE`, the group's name, the state "+
				"in capitals, the priority with what is tracked"),
	}, hookKeys...),
}

var syncGroupHookSchema = schema[hook]{
	kind:   "hook",
	labels: []string{"a state (master, backup, fault)"},
	doc: "A program that is run when all groups of the sync group have entered the state, after the hooks of the groups. In its environment " +
		"are `DIRECTOR_SYNC_GROUP` and `DIRECTOR_STATE`.",
	start: defaultHook,
	keys: append([]key[hook]{
		choice("arguments", []word[bool]{{"none", false}, {"keepalived", true}}, func(h *hook) *bool { return &h.Keepalived },
			"what is added to the arguments of the command. `keepalived`: its four of a `notify` script, `GROUP`, the sync group's name, the state "+
				"in capitals, 0"),
	}, hookKeys...),
}

var serverHookSchema = schema[hook]{
	kind:   "hook",
	labels: []string{"a state (up, down, stop, real_server_up, real_server_down, real_server_stop)"},
	doc: "A program that is run when the virtual server has won or lost its quorum, or when the daemon has stopped serving it: after " +
		"VRRP has left and `on_stop` is done, whatever the quorum was, but not at an upgrade. All hooks of the stop have 30s together. " +
		"In its environment are `DIRECTOR_VIRTUAL_SERVER`, `DIRECTOR_STATE` (up, down, stop) and `DIRECTOR_REASON`. " +
		"`real_server_up`, `real_server_down` and `real_server_stop` are the hooks of all its real servers that have none of their own for that state.",
	start: defaultHook,
	keys:  hookKeys,
}

var realServerHookSchema = schema[hook]{
	kind:   "hook",
	labels: []string{"a state (up, down, stop)"},
	doc: "A program that is run when the checks of the real server have said that it is up or down, also for the first time, or when the " +
		"daemon has stopped serving it, as the hook `stop` of the virtual server is, whatever its checks said. " +
		"In its environment are `DIRECTOR_VIRTUAL_SERVER`, `DIRECTOR_REAL_SERVER` (IP:PORT), `DIRECTOR_STATE` (up, down, stop) and `DIRECTOR_REASON`.",
	start: defaultHook,
	keys:  hookKeys,
}

var hookKeys = []key[hook]{
	commandKey(func(h *hook) *checks.Command { return &h.Command }, "the program and its arguments; no shell is involved"),
	duration("timeout", 100*time.Millisecond, time.Hour, func(h *hook) *time.Duration { return &h.Timeout },
		"after so long it is killed together with all that it started"),
}

// addHook adds a hook that is run when one of the states is entered.
func addHook(d *decoder, state label, to *map[string]Hook, h hook, states ...string) {
	if !slices.Contains(states, state.text) {
		d.failHint(state.at, suggest(state.text, states), "hook %q: want one of %s", state.text, strings.Join(states, ", "))
		return
	}
	if _, twice := (*to)[state.text]; twice {
		d.fail(state.at, "hook %q is given twice", state.text)
		return
	}
	if *to == nil {
		*to = map[string]Hook{}
	}
	(*to)[state.text] = h.Hook
}

// realStates are the states of a real server that have hooks.
var realStates = []string{"up", "down", "stop"}

// addServerHook adds a hook of a virtual server or of all its real servers.
func addServerHook(d *decoder, state label, v *virtualServer, h hook) {
	if real, ok := strings.CutPrefix(state.text, "real_server_"); ok && slices.Contains(realStates, real) {
		if _, twice := v.realHooks[real]; twice {
			d.fail(state.at, "hook %q is given twice", state.text)
			return
		}
		if v.realHooks == nil {
			v.realHooks = map[string]Hook{}
		}
		v.realHooks[real] = h.Hook
		return
	}
	addHook(d, state, &v.pool.Hooks, h, "up", "down", "stop", "real_server_up", "real_server_down", "real_server_stop")
}

// orElse returns the hooks with those of others for the states that have none.
func orElse(hooks, others map[string]Hook) map[string]Hook {
	switch {
	case len(hooks) == 0:
		return others // one map for many
	case len(others) == 0:
		return hooks
	}
	all := maps.Clone(others)
	maps.Copy(all, hooks)
	return all
}
