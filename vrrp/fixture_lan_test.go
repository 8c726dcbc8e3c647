package vrrp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// lanTables are a machine's routing tables in memory. They refuse what Linux
// refuses.
type lanTables struct {
	fixtures map[uint8]Fixtures // by mark; 0 are those of others
	log      []string
	closed   []closed
	refuse   error
}

func (h *lanHost) shown(mark uint8) (scene, error) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	x := h.tables.fixtures[mark]
	f := Fixtures{slices.Clone(x.Addresses), slices.Clone(x.Routes), slices.Clone(x.Rules)}
	return scene{f, slices.Clone(h.tables.closed)}, nil
}

func (h *lanHost) do(mark uint8, o op) error {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if h.tables.refuse != nil {
		return h.tables.refuse
	}
	t := &h.tables
	if t.fixtures == nil {
		t.fixtures = make(map[uint8]Fixtures)
	}
	if o.kind == opAdd {
		for _, x := range t.fixtures {
			switch {
			case o.route != nil && slices.ContainsFunc(x.Routes, func(r Route) bool { return r.key() == o.route.key() }),
				o.rule != nil && slices.Contains(x.Rules, *o.rule),
				o.address != nil && slices.Contains(x.Addresses, *o.address):
				return errForeign
			}
		}
	}
	if r := o.route; r != nil && o.kind != opRemove && r.Source.IsValid() && !h.links["eth0"].hears(r.Source) {
		return fmt.Errorf("preferred source: %w", unix.EINVAL)
	}
	t.log = append(t.log, o.String())
	x := t.fixtures[mark]
	switch {
	case o.closed != nil:
		t.closed = *o.closed
	case o.address != nil:
		x.Addresses = slices.DeleteFunc(slices.Clone(x.Addresses), func(a StaticAddress) bool { return a == *o.address })
		if o.kind != opRemove {
			x.Addresses = append(x.Addresses, *o.address)
		}
	case o.route != nil:
		x.Routes = slices.DeleteFunc(slices.Clone(x.Routes), func(r Route) bool { return r.key() == o.route.key() })
		if o.kind != opRemove {
			x.Routes = append(x.Routes, *o.route)
		}
	case o.rule != nil:
		x.Rules = slices.DeleteFunc(slices.Clone(x.Rules), func(r Rule) bool { return r == *o.rule })
		if o.kind != opRemove {
			x.Rules = append(x.Rules, *o.rule)
		}
	}
	t.fixtures[mark] = x
	return nil
}

// routing returns what was done to the tables so far and forgets it.
func (h *lanHost) routing() []string {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	log := h.tables.log
	h.tables.log = nil
	return log
}
