package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

const settingsFile = "settings.json"

// settings are the kernel settings that are kept as the configuration says.
type settings struct {
	tree     ipvsctl.SettingsTree // empty: none are touched
	path     string
	original ipvsctl.Settings // what those that we changed were before
	failed   string           // the last error, told once
}

// loadSettings reads what settings were before an earlier run changed them.
func loadSettings(tree ipvsctl.SettingsTree, stateDir string, log *zap.Logger) settings {
	s := settings{tree: tree, path: filepath.Join(stateDir, settingsFile), original: ipvsctl.Settings{}}
	data, err := conf.ReadFile(s.path)
	if err == nil {
		err = json.Unmarshal(data, &s.original)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error("cannot read what the kernel settings were", zap.Error(err))
	}
	return s
}

// keepSettings sets what is not as configured, and puts back what is not
// configured any more.
func (e *Engine) keepSettings() {
	s := &e.settings
	wanted := maps.Clone(s.original)
	maps.Copy(wanted, e.config.IPVS.Settings)
	if s.tree == "" || len(wanted) == 0 {
		return
	}
	changes, err := s.tree.Diff(wanted)
	for _, c := range changes {
		if _, ours := s.original[c.Name]; ours && e.config.IPVS.Settings[c.Name] != "" {
			e.event(Event{Kind: KindDrift, From: c.From, To: c.To, Reason: "somebody else changed " + c.Name + "; repairing"})
			continue
		}
		e.log.Info("changing a kernel setting", zap.Stringer("setting", c))
	}
	err = errors.Join(err, s.apply(changes, e.config.IPVS.Settings))
	if e.settingsFailed(err) {
		e.event(Event{Kind: KindApply, Reason: "kernel settings are not as configured", Error: err.Error()})
	}
}

// settingsFailed says whether err is to be told: not again and again.
func (e *Engine) settingsFailed(err error) bool {
	was := e.settings.failed
	e.settings.failed = ""
	if err != nil {
		e.settings.failed = err.Error()
	}
	return err != nil && e.settings.failed != was
}

// apply makes the changes. What the settings were is on the disk before, and
// forgotten once they are that again and nobody wants another value.
func (s *settings) apply(changes []ipvsctl.SettingChange, configured ipvsctl.Settings) error {
	before := maps.Clone(s.original)
	for _, c := range changes {
		if _, ours := s.original[c.Name]; !ours {
			s.original[c.Name] = c.From
		}
	}
	err := s.save(before)
	if err != nil {
		s.original = before
		return err // else nobody could ever put them back
	}
	if err := s.tree.Apply(changes); err != nil {
		return err
	}
	before = maps.Clone(s.original)
	maps.DeleteFunc(s.original, func(name, _ string) bool { return configured[name] == "" })
	return s.save(before)
}

// save writes the file unless it is as it was.
func (s *settings) save(before ipvsctl.Settings) error {
	if maps.Equal(before, s.original) {
		return nil
	}
	data, err := json.Marshal(s.original)
	if err == nil {
		err = writeFile(s.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember what the kernel settings were: %w", err)
	}
	return nil
}

// restoreSettings puts all settings back, at the stop.
func (e *Engine) restoreSettings() {
	if !e.config.IPVS.RestoreSettings || e.settings.tree == "" {
		return
	}
	changes, err := e.settings.tree.Diff(e.settings.original)
	if err = errors.Join(err, e.settings.apply(changes, nil)); err != nil {
		e.event(Event{Kind: KindApply, Reason: "kernel settings are not as they were before", Error: err.Error()})
	}
}

// advise logs which kernel settings keep the configuration from working.
func (e *Engine) advise() {
	for _, c := range advice(e.config, func(name string) string {
		if e.settings.tree == "" {
			return ""
		}
		changes, err := e.settings.tree.Diff(ipvsctl.Settings{name: ""})
		if err != nil || len(changes) == 0 {
			return ""
		}
		return changes[0].From
	}) {
		e.log.Warn(c)
	}
}

// advice returns in words what settings contradict a configuration. get
// returns the value of a setting, or nothing when it is not known.
func advice(config *conf.Config, get func(string) string) []string {
	var nat4, nat6, mh bool
	for _, vs := range config.VirtualServers {
		for _, r := range vs.Reals {
			if r.Destination.Forward == ipvsctl.NAT {
				nat4 = nat4 || r.Address().Addr().Is4()
				nat6 = nat6 || r.Address().Addr().Is6()
			}
		}
		mh = mh || len(vs.Services) > 0 && vs.Services[0].Scheduler == "mh"
	}
	var said []string
	if nat4 && get("net.ipv4.ip_forward") == "0" {
		said = append(said, "net.ipv4.ip_forward is 0: answers of real servers with forward = \"nat\" do not reach the clients")
	}
	if nat6 && get("net.ipv6.conf.all.forwarding") == "0" {
		said = append(said, "net.ipv6.conf.all.forwarding is 0: answers of real servers with forward = \"nat\" do not reach the clients")
	}
	if mh && len(config.VRRP.Groups) > 0 && get("net.ipv4.vs.sloppy_tcp") == "0" {
		said = append(said, "net.ipv4.vs.sloppy_tcp is 0: after a failover connections of scheduler \"mh\" that were not synchronised are cut")
	}
	return said
}
