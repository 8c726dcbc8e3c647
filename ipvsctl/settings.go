package ipvsctl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Settings are settings of a network namespace by their names, such as
// "net.ipv4.vs.conn_reuse_mode", as sysctl(8) shows them.
type Settings map[string]string

// SettingChange is one setting that is, or was, something else than wanted.
type SettingChange struct{ Name, From, To string }

// String returns the change as "net.ipv4.ip_forward 0 -> 1".
func (c SettingChange) String() string { return c.Name + " " + c.From + " -> " + c.To }

// SettingsTree is the directory in which the kernel shows its settings as
// files: /proc/sys. It shows those of the reader's network namespace; the ones
// of IPVS are there once its module is loaded.
type SettingsTree string

// Diff returns what is not as wanted, sorted by name. The error tells of all
// settings that cannot be read.
func (t SettingsTree) Diff(wanted Settings) ([]SettingChange, error) {
	var changes []SettingChange
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		has, err := t.get(name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case has != wanted[name] && !defends(name, has, wanted[name]):
			changes = append(changes, SettingChange{name, has, wanted[name]})
		}
	}
	return changes, errors.Join(errs...)
}

// defends tells whether a setting is as wanted although it says otherwise: while
// memory is short the kernel itself makes 2 of 1 in those that defend IPVS against
// that, and later 1 again (update_defense_level in net/netfilter/ipvs/ip_vs_ctl.c).
func defends(name, has, wanted string) bool {
	switch name {
	case "net.ipv4.vs.drop_entry", "net.ipv4.vs.drop_packet", "net.ipv4.vs.secure_tcp":
		return has == "2" && wanted == "1"
	}
	return false
}

// Apply makes the changes, going on after one that fails.
func (t SettingsTree) Apply(changes []SettingChange) error {
	var errs []error
	for _, c := range changes {
		// Not created: a setting that is not there is one that the kernel does not have.
		f, err := os.OpenFile(t.path(c.Name), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(c.To + "\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("set %s to %s: %w", c.Name, c.To, cause(err)))
		}
	}
	return errors.Join(errs...)
}

// get returns the value of a setting, with its fields one blank apart.
func (t SettingsTree) get(name string) (string, error) {
	text, err := os.ReadFile(t.path(name))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, cause(err))
	}
	return strings.Join(strings.Fields(string(text)), " "), nil
}

func (t SettingsTree) path(name string) string {
	return filepath.Join(string(t), filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
}

// cause takes the path off an error: the name of the setting says the same.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}
