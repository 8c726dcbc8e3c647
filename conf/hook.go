package conf

import (
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

var serverHookSchema = schema[hook]{
	kind:   "hook",
	labels: []string{"a state (up, down, stop)"},
	doc: "A program that is run when the virtual server has won or lost its quorum, or when the daemon has stopped serving it: after " +
		"VRRP has left and `on_stop` is done, whatever the quorum was, but not at an upgrade. All hooks of the stop have 30s together. " +
		"In its environment are `DIRECTOR_VIRTUAL_SERVER`, `DIRECTOR_STATE` (up, down, stop) and `DIRECTOR_REASON`.",
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
