package engine

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// maxMaintenanceFiles bounds how many files a maintenance directory may have.
const maxMaintenanceFiles = 4096

// strangeShown is how many files that name no real server are told one by one.
const strangeShown = 10

// maintenance is what the files of the maintenance directory say: a file that
// is named after a real server, or after its host, takes it into maintenance.
// It works when the API does not, and by any tool that can make a file.
type maintenance struct {
	list    func(dir string)    // reads the directory in the background
	reading bool                // a disk that hangs is asked once, and stops nobody
	names   []string            // of the files, sorted
	strange map[string]struct{} // of those told of that name no real server
	failed  string              // the last error, told once
}

// maintained are the names of files by what they name; port 0 is every port.
type maintained map[netip.AddrPort]string

// of returns the name of the file that names a real server, or "".
func (m maintained) of(addr netip.AddrPort) string {
	if name, ok := m[addr]; ok {
		return name
	}
	return m[netip.AddrPortFrom(addr.Addr(), 0)]
}

// listing is what reading the directory brought.
type listing struct {
	dir   string
	files []string
	err   error
}

// listMaintenance returns the names of the files in a directory.
func listMaintenance(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxMaintenanceFiles + 1)
	switch {
	case errors.Is(err, io.EOF): // it is empty
		return nil, nil
	case err != nil:
		return nil, err
	case len(names) > maxMaintenanceFiles:
		return nil, fmt.Errorf("%s has more than %d files", dir, maxMaintenanceFiles)
	}
	return names, nil
}

// parseMaintained reads what files name. Those that editors leave are left out,
// and those that name no address are returned.
func parseMaintained(names []string) (files maintained, strange []string) {
	files = make(maintained)
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		target, err := ParseTarget("", name)
		if err != nil {
			strange = append(strange, name)
			continue
		}
		files[netip.AddrPortFrom(target.Address, target.Port)] = name
	}
	return files, strange
}

// readMaintenance reads the directory at once: at the start, so that a server in
// maintenance gets nobody until the first look.
func (e *Engine) readMaintenance() {
	if dir := e.opts.Config.MaintenanceDir; dir != "" {
		files, err := listMaintenance(dir)
		e.takeListing(listing{dir, files, err})
	}
}

// lookAtMaintenance has the directory read again.
func (e *Engine) lookAtMaintenance() {
	m, dir := &e.maintenance, e.config.MaintenanceDir
	if dir == "" || m.reading {
		return
	}
	m.reading = true
	m.list(dir)
}

// takeListing takes what the directory holds. While it cannot be read, what it
// held last counts: a disk that is gone must not end a maintenance.
func (e *Engine) takeListing(l listing) {
	m := &e.maintenance
	m.reading = false
	if l.dir != e.config.MaintenanceDir {
		return
	}
	if l.err != nil {
		if text := l.err.Error(); text != m.failed {
			m.failed = text
			e.event(Event{Kind: KindMaintenance, Reason: "cannot read the maintenance directory; what it held last counts", Error: text})
		}
		return
	}
	m.failed = ""
	slices.Sort(l.files)
	if slices.Equal(l.files, m.names) {
		return
	}
	m.names = l.files
	e.applyMaintenance()
}

// applyMaintenance takes real servers into maintenance, and back into service.
func (e *Engine) applyMaintenance() {
	files, strange := parseMaintained(e.maintenance.names)
	used := make(map[string]struct{})
	for _, s := range e.services {
		for i := range s.reals {
			r, addr := &s.reals[i], s.vs.Reals[i].Address()
			name := files.of(addr)
			used[name] = struct{}{}
			was := r.maintenance
			r.maintenance = name
			ev := Event{Kind: KindMaintenance, VirtualServer: s.vs.Name, RealServer: addr.String()}
			switch {
			case was == "" && name != "":
				ev.From, ev.To, ev.Reason = "in service", "maintenance", fmt.Sprintf("there is a file %s in %s", name, e.config.MaintenanceDir)
			case was != "" && name == "":
				ev.From, ev.To, ev.Reason = "maintenance", "in service", fmt.Sprintf("the file %s is gone", was)
			default:
				continue
			}
			e.event(ev)
			e.invalidate(s)
		}
	}
	for _, name := range files {
		if _, ok := used[name]; !ok {
			strange = append(strange, name)
		}
	}
	e.tellStrange(strange)
}

// tellStrange tells, once, of files that name no real server: somebody who has
// misspelt a name believes the server to be in maintenance.
func (e *Engine) tellStrange(names []string) {
	told := e.maintenance.strange
	e.maintenance.strange = make(map[string]struct{}, len(names))
	slices.Sort(names)
	n := 0
	for _, name := range names {
		e.maintenance.strange[name] = struct{}{}
		if _, known := told[name]; known {
			continue
		}
		if n++; n <= strangeShown {
			e.event(Event{Kind: KindMaintenance, To: "ignored", Reason: fmt.Sprintf("the file %q in %s names no real server that is configured", name, e.config.MaintenanceDir)})
		}
	}
	if n > strangeShown {
		e.event(Event{Kind: KindMaintenance, To: "ignored", Reason: "and more files that name no real server", Status: plural(n-strangeShown, "file")})
	}
}

// keepMaintenance applies what is known of the directory to a new configuration.
func (e *Engine) keepMaintenance() {
	if m := &e.maintenance; e.config.MaintenanceDir == "" {
		m.names, m.failed = nil, ""
	}
	e.applyMaintenance()
}
