package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/lvs-director/director/conf"
)

// OverrideMode is what an operator asked for a real server at run time.
type OverrideMode uint8

// The overrides.
const (
	OverrideNone    OverrideMode = iota
	OverrideDrain                // no new connections; those there are live
	OverrideDisable              // out of the table
	OverrideWeight               // another weight than the configured one
)

// Override is an operator's wish for one real server. It outlives reloads and
// restarts, until the operator takes it back.
type Override struct {
	Mode   OverrideMode `json:"mode"`
	Weight uint32       `json:"weight,omitempty"` // with OverrideWeight
	Reason string       `json:"reason,omitempty"`
}

// String returns the override as the status shows it: "", "drain", "disable", "weight 5".
func (o Override) String() string {
	switch o.Mode {
	case OverrideDrain:
		return "drain"
	case OverrideDisable:
		return "disable"
	case OverrideWeight:
		return fmt.Sprintf("weight %d", o.Weight)
	}
	return ""
}

// wish returns the override as events tell it.
func (o Override) wish() string { return cmp.Or(o.String(), "as configured") }

// overridesFile is the name, in the state directory, of the file of overrides.
const overridesFile = "overrides.json"

// unreadSuffix is added to the name of one that could not be read, when there is a new one.
const unreadSuffix = ".unread"

// overridesVersion is the version of the file's format.
const overridesVersion = 1

// overrides are all wishes by virtual server and real server.
type overrides map[string]map[string]Override

// overridesDoc is what is in the file.
type overridesDoc struct {
	Version   int       `json:"version"`
	Overrides overrides `json:"overrides"`
}

// of returns the wish for a real server; the zero Override is none.
func (o overrides) of(virtual, real string) Override { return o[virtual][real] }

// set puts a wish on a real server; OverrideNone takes it back.
func (o overrides) set(virtual, real string, wish Override) {
	if wish.Mode == OverrideNone {
		delete(o[virtual], real)
		if len(o[virtual]) == 0 {
			delete(o, virtual)
		}
		return
	}
	if o[virtual] == nil {
		o[virtual] = make(map[string]Override)
	}
	o[virtual][real] = wish
}

// clone returns a deep copy.
func (o overrides) clone() overrides {
	c := make(overrides, len(o))
	for virtual, reals := range o {
		c[virtual] = maps.Clone(reals)
	}
	return c
}

// save writes the overrides in one step.
func (o overrides) save(stateDir string) error {
	data, err := json.MarshalIndent(overridesDoc{overridesVersion, o}, "", "  ")
	if err != nil {
		return fmt.Errorf("write overrides: %w", err)
	}
	return writeFile(filepath.Join(stateDir, overridesFile), append(data, '\n'))
}

// readOverrides reads what operators asked for in earlier runs.
func readOverrides(stateDir string) (overrides, error) {
	path := filepath.Join(stateDir, overridesFile)
	data, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return overrides{}, nil
	}
	if err != nil {
		return overrides{}, err
	}
	doc := overridesDoc{Overrides: overrides{}}
	if err := json.Unmarshal(data, &doc); err != nil {
		return overrides{}, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Version != overridesVersion {
		return overrides{}, fmt.Errorf("%s: version %d, want %d", path, doc.Version, overridesVersion)
	}
	return doc.Overrides, nil
}

// loadOverrides is readOverrides for a daemon that must start whatever it finds.
func (e *Engine) loadOverrides(stateDir string) {
	var err error
	e.over, err = readOverrides(stateDir)
	e.overUnread = err != nil
	if err != nil {
		e.event(Event{Kind: KindOperator, Reason: "what operators asked for before is not known; real servers are as configured", Error: err.Error()})
	}
}

// saveOverrides makes wishes those that count, on disk first. A file that could not
// be read is set aside, not lost.
func (e *Engine) saveOverrides(wanted overrides) error {
	dir := e.opts.Config.StateDir
	if e.overUnread {
		path := filepath.Join(dir, overridesFile)
		if err := os.Rename(path, path+unreadSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set aside the overrides that could not be read: %w", err)
		}
		e.overUnread = false
	}
	if err := wanted.save(dir); err != nil {
		return err
	}
	e.over = wanted
	return nil
}
