package realserver

import (
	"errors"
	"fmt"
	"slices"
)

// System is the machine: Linux, or a map in tests.
type System interface {
	// Get returns the value of an item, empty when it does not exist.
	Get(Item) (string, error)
	// Set gives an item a value, which removes it when it is empty.
	Set(item Item, value string) error
	// Holders returns the devices that hold an address.
	Holders(VIP) ([]string, error)
}

// Change is an item that was changed, and what it was before.
type Change struct {
	Item
	Before string `json:"before"`
	After  string `json:"after"`
	// Until is what we had changed it to before, and what it still is if something
	// ended us between remembering the change and making it.
	Until string `json:"until,omitempty"`
}

// ours tells whether a value is one that we gave the item.
func (c Change) ours(value string) bool { return value == c.After || c.Until != "" && value == c.Until }

// State is what has been done to this machine. It outlives the command that did
// it, so that another one can undo it: see Open.
type State struct {
	VIPs    []VIP    `json:"vips"`
	Changes []Change `json:"changes"`           // in the order in which they were made
	Program []string `json:"program,omitempty"` // see Persist

	book *book // nil: it is kept nowhere
}

// Up makes the machine serve the addresses, besides those that it serves
// already. It may be repeated: what is right already is left alone. With an
// error, the state holds what was done before it.
func (s *State) Up(sys System, vips ...VIP) error {
	for _, v := range vips {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	for _, v := range vips {
		i := slices.IndexFunc(s.VIPs, func(w VIP) bool { return w.Addr == v.Addr })
		if i >= 0 && s.VIPs[i] != v {
			return fmt.Errorf("%s is served as %s: take it down first", v.Addr, s.VIPs[i].Mode)
		}
		if i < 0 {
			s.VIPs = append(s.VIPs, v)
		}
	}
	for _, w := range wants(s.VIPs) {
		if err := s.set(sys, w.Item, w.value, w.also...); err != nil {
			return err
		}
	}
	return s.save()
}

// set gives an item its value and remembers the one it had before the first change.
// That is on the disk before, or nothing is changed: else nobody could ever undo it.
func (s *State) set(sys System, item Item, value string, also ...string) error {
	have, err := sys.Get(item)
	if err != nil {
		return fmt.Errorf("read %s: %w", item, err)
	}
	if have == value || slices.Contains(also, have) {
		return nil
	}
	before := slices.Clone(s.Changes)
	if i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.Item == item }); i >= 0 {
		c, until := &s.Changes[i], "" // what it was at first still counts
		if c.ours(have) {
			until = have
		}
		c.After, c.Until = value, until
	} else {
		s.Changes = append(s.Changes, Change{Item: item, Before: have, After: value})
	}
	if err := s.save(); err != nil {
		s.Changes = before
		return err
	}
	if err := sys.Set(item, value); err != nil {
		s.Changes = before
		return errors.Join(fmt.Errorf("set %s: %w", item, err), s.save())
	}
	return nil
}

// Down undoes, last first, what Up did for the addresses, or everything when
// none are given. What the other addresses need stays, and so does what somebody
// else has changed since. It goes on after an error; what could not be undone
// stays in the state.
func (s *State) Down(sys System, vips ...VIP) error {
	keep := []VIP{}
	if len(vips) > 0 {
		for _, v := range s.VIPs {
			if !slices.ContainsFunc(vips, func(w VIP) bool { return w.Addr == v.Addr }) {
				keep = append(keep, v)
			}
		}
	}
	needed := make(map[Item]bool)
	for _, w := range wants(keep) {
		needed[w.Item] = true
	}
	var errs []error
	var left []Change
	for _, c := range slices.Backward(s.Changes) {
		if needed[c.Item] || len(keep) > 0 && (c.Kind == File || c.Kind == Symlink) {
			left = append(left, c)
			continue
		}
		if err := undo(sys, c); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", c.Item, err))
			left = append(left, c)
		}
	}
	slices.Reverse(left)
	s.VIPs, s.Changes = keep, left
	err := s.save()
	if err == nil && len(keep) > 0 && slices.ContainsFunc(left, func(c Change) bool { return c.Kind == File }) {
		err = s.Persist(sys, s.Program)
	}
	return errors.Join(append(errs, err)...)
}

func undo(sys System, c Change) error {
	have, err := sys.Get(c.Item)
	if err != nil || !c.ours(have) {
		return err
	}
	return sys.Set(c.Item, c.Before)
}

// Problem is something that keeps this machine from serving.
type Problem struct {
	Item Item
	Have string
	Want string
	Why  string
}

// String returns what is wrong, what it should be, and what comes of it.
func (p Problem) String() string {
	have := p.Have
	if have == "" {
		have = "missing"
	}
	return fmt.Sprintf("%s is %s, not %s: %s", p.Item, have, p.Want, p.Why)
}

// Status returns what is wrong with the addresses, or with all that are served
// when none are given.
func (s *State) Status(sys System, vips ...VIP) ([]Problem, error) {
	if len(vips) == 0 {
		vips = s.VIPs
	}
	var problems []Problem
	for _, w := range wants(vips) {
		have, err := sys.Get(w.Item)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", w.Item, err)
		}
		if have != w.value && !slices.Contains(w.also, have) {
			problems = append(problems, Problem{Item: w.Item, Have: have, Want: w.value, Why: w.why})
		}
	}
	for _, v := range vips {
		devices, err := sys.Holders(v)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", v.Addr, err)
		}
		for _, dev := range devices {
			if dev != v.device() {
				problems = append(problems, Problem{
					Item: Item{Address, dev + " " + v.Addr.String()}, Have: present, Want: "missing",
					Why: "the machine answers for the virtual address on that device and takes its traffic from the director",
				})
			}
		}
	}
	return problems, nil
}
