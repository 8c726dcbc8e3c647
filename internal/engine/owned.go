package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// ownedFile is the name of the file, in the state directory, that remembers
// which rows of the kernel's table are ours across restarts.
const ownedFile = "owned"

// owned are the rows that are ours: those that the configuration names, and
// those that an earlier one named and the kernel may still hold.
type owned struct {
	path  string
	rows  map[ipvsctl.Row]struct{}
	stale bool // the file could not be written and tells of other rows
}

// loadOwned reads what an earlier run left. A file that cannot be read costs
// only that leftovers of that run count as foreign.
func loadOwned(stateDir string, log *zap.Logger) owned {
	o := owned{path: filepath.Join(stateDir, ownedFile), rows: make(map[ipvsctl.Row]struct{})}
	data, err := conf.ReadFile(o.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn("cannot read which rows are ours; rows of an earlier run count as foreign", zap.Error(err))
		}
		return o
	}
	o.rows, err = parseRows(data)
	if err != nil {
		log.Warn("the file of our rows is damaged; what it does not tell counts as foreign", zap.String("file", o.path), zap.Error(err))
	}
	return o
}

// add makes the rows of a configuration, of the services of its ways, and of what is
// drained ours, on disk before they can be in the kernel. It tells whether it could
// be written.
func (o *owned) add(config *conf.Config, ways []ipvsctl.Service, drained []ipvsctl.Row) error {
	before := len(o.rows)
	for _, row := range drained {
		o.rows[row] = struct{}{}
	}
	if o.claim(config, ways); len(o.rows) == before && !o.stale {
		return nil
	}
	return o.write()
}

// claim makes the rows of a configuration ours.
func (o *owned) claim(config *conf.Config, ways []ipvsctl.Service) {
	for _, s := range ways {
		o.rows[ipvsctl.Row{Service: s.ID}] = struct{}{}
		for _, d := range s.Destinations {
			o.rows[ipvsctl.Row{Service: s.ID, Destination: d.Addr}] = struct{}{}
		}
	}
	for _, vs := range config.VirtualServers {
		for _, s := range vs.Services {
			o.rows[ipvsctl.Row{Service: s.ID}] = struct{}{}
			for r := range vs.Servers() {
				o.rows[ipvsctl.Row{Service: s.ID, Destination: r.Address()}] = struct{}{}
			}
		}
	}
}

// prune drops the rows that are neither wanted nor in the kernel.
func (o *owned) prune(config *conf.Config, ways []ipvsctl.Service, known ipvsctl.Table) error {
	kept := owned{path: o.path, rows: make(map[ipvsctl.Row]struct{}, len(o.rows))}
	for row := range o.rows {
		s, ok := known.Services[row.Service]
		if !ok {
			continue
		}
		if !row.Destination.IsValid() || holds(s, row.Destination) {
			kept.rows[row] = struct{}{}
		}
	}
	kept.claim(config, ways)
	if maps.Equal(kept.rows, o.rows) && !o.stale {
		return nil
	}
	o.rows = kept.rows
	return o.write()
}

func holds(s ipvsctl.Service, addr netip.AddrPort) bool {
	for _, d := range s.Destinations {
		if d.Addr == addr {
			return true
		}
	}
	return false
}

// write replaces the file in one step.
func (o *owned) write() error {
	var b bytes.Buffer
	for row := range o.rows {
		writeRow(&b, row)
	}
	err := writeFile(o.path, b.Bytes())
	o.stale = err != nil
	return err
}

// writeRow writes a row as one line: protocol, address or mark and family, destination.
func writeRow(b *bytes.Buffer, row ipvsctl.Row) {
	id := row.Service
	buf := b.AvailableBuffer()
	if id.FWMark != 0 {
		buf = append(buf, "fwmark "...)
		buf = strconv.AppendUint(buf, uint64(id.FWMark), 10)
		buf = append(buf, ' ')
		buf = strconv.AppendUint(buf, uint64(id.Family), 10)
	} else {
		buf = strconv.AppendUint(buf, uint64(id.Protocol), 10)
		buf = append(buf, ' ')
		buf = id.Addr.AppendTo(buf)
		buf = append(buf, " -"...)
	}
	if row.Destination.IsValid() {
		buf = append(buf, ' ')
		buf = row.Destination.AppendTo(buf)
	}
	b.Write(append(buf, '\n'))
}

// parseRows reads what writeRow wrote; what it understands is returned also with an error.
func parseRows(data []byte) (map[ipvsctl.Row]struct{}, error) {
	rows := make(map[ipvsctl.Row]struct{})
	var errs []error
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		row, err := parseRow(strings.Fields(lines.Text()))
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		rows[row] = struct{}{}
	}
	return rows, errors.Join(append(errs, lines.Err())...)
}

func parseRow(words []string) (ipvsctl.Row, error) {
	var row ipvsctl.Row
	if len(words) < 3 || len(words) > 4 {
		return row, fmt.Errorf("%d words, want 3 or 4", len(words))
	}
	if words[0] == "fwmark" {
		mark, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil {
			return row, err
		}
		family, err := strconv.ParseUint(words[2], 10, 8)
		if err != nil {
			return row, err
		}
		row.Service.FWMark, row.Service.Family = uint32(mark), ipvsctl.Family(family)
	} else {
		protocol, err := strconv.ParseUint(words[0], 10, 8)
		if err != nil {
			return row, err
		}
		addr, err := netip.ParseAddrPort(words[1])
		if err != nil {
			return row, err
		}
		row.Service.Protocol, row.Service.Addr = ipvsctl.Protocol(protocol), addr
	}
	if len(words) == 4 {
		addr, err := netip.ParseAddrPort(words[3])
		if err != nil {
			return row, err
		}
		row.Destination = addr
	}
	return row, nil
}

// hasMark tells whether a service of a firewall mark is ours: packets may have
// been marked for it. Checks mark their packets themselves; their marks are
// those from first on.
func (o owned) hasMark(first uint32) bool {
	for row := range o.rows {
		if mark := row.Service.FWMark; mark != 0 && mark-first >= conf.WayMarks {
			return true
		}
	}
	return false
}
