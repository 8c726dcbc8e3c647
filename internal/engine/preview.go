package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
	"github.com/lvs-director/director/vrrp"
)

// Preview returns the operations that a reload with config would do to a kernel
// that holds have. The running daemon's status, if one runs, tells health,
// quorum and roles; without it a server that the kernel holds keeps its weight,
// as at a start. Overrides and owned rows are read
// from config's state_dir, and which servers are in maintenance from its directory.
func Preview(config *conf.Config, have ipvsctl.Table, running *Status, log *zap.Logger) ([]ipvsctl.Op, error) {
	over, err := readOverrides(config.StateDir)
	if err != nil {
		return nil, fmt.Errorf("read overrides: %w", err)
	}
	if running == nil {
		running = &Status{}
	}
	inMaintenance := previewMaintenance(config, log)
	own := loadOwned(config.StateDir, log)
	services := make(map[string]*ServiceStatus, len(running.VirtualServers))
	for _, s := range running.VirtualServers {
		services[s.Name] = s
	}
	want := ipvsctl.Table{
		Services: make(map[ipvsctl.ServiceID]ipvsctl.Service),
		Timeouts: config.IPVS.Timeouts,
		Daemons:  previewDaemons(config, running.VRRP.Groups),
	}
	for _, vs := range config.VirtualServers {
		seen := services[vs.Name]
		if seen == nil {
			seen = &ServiceStatus{}
		}
		views := make([]realView, len(vs.Reals))
		for i := range vs.Reals {
			views[i] = previewReal(vs, i, seen, have)
			r := real{override: over.of(vs.Name, vs.Reals[i].Address().String()), maintenance: inMaintenance.of(vs.Reals[i].Address())}
			views[i].override = r.wish()
		}
		had, hysteresis := seen.State == "up", vs.Hysteresis
		if seen.State != "up" && seen.State != "down" { // as in service.judge
			hysteresis = 0
		}
		quorum := hasQuorum(had, weightUp(vs, views), vs.Quorum, hysteresis)
		var leaving []ipvsctl.Destination
		if vs.DrainTimeout > 0 {
			leaving = leftovers(vs, have, own)
		}
		sorry := !quorum && vs.Sorry != nil && (seen.Sorry == nil || seen.Sorry.State != checks.Down.String())
		if vs.Sorry != nil && !sorry && vs.SorryDrain > 0 && inKernel(vs, vs.Sorry.Address(), have) {
			leaving = append(leaving, vs.Sorry.Destination)
		}
		for _, planned := range plan(vs, views, sorry, leaving) {
			want.Services[planned.ID] = planned
		}
	}
	wanted := waysOf(config)
	numbers, _ := numberWays(loadWayNumbers(config.StateDir, log), wanted)
	ways, _ := planWays(config.IPVS.ProbeMarks, numbers, wanted)
	for _, s := range ways {
		want.Services[s.ID] = s
	}
	own.claim(config, ways)
	return ipvsctl.Diff(have, want, ipvsctl.Ownership{RemoveForeign: config.IPVS.RemoveForeign, Owned: own.rows}), nil
}

// PreviewMarks returns what a reload with config would change in the marks that
// packets get. The kernel is asked only if marks are configured, or were: it may
// know of none.
func PreviewMarks(config *conf.Config, kernel MarkKernel, log *zap.Logger) ([]marks.Change, error) {
	want := config.Marks()
	if own := loadOwned(config.StateDir, log); len(want) == 0 && !own.hasMark(config.IPVS.ProbeMarks) {
		return nil, nil
	}
	have, _, err := kernel.Read()
	return marks.Diff(have, want), err
}

// previewMaintenance reads which real servers are in maintenance.
func previewMaintenance(config *conf.Config, log *zap.Logger) maintained {
	if config.MaintenanceDir == "" {
		return nil
	}
	names, err := listMaintenance(config.MaintenanceDir)
	if err != nil {
		log.Warn("cannot read the maintenance directory; nobody is taken to be in maintenance", zap.Error(err))
	}
	files, _ := parseMaintained(names)
	return files
}

// previewReal returns what is known of a configured real server: its health
// from the running daemon, its weight from the kernel.
func previewReal(vs *conf.VirtualServer, i int, seen *ServiceStatus, have ipvsctl.Table) realView {
	addr := vs.Reals[i].Address()
	r := realView{ramp: 100}
	if len(vs.Reals[i].Checks) == 0 {
		r.state = checks.Up
		return r
	}
	for _, status := range seen.Reals {
		if status.Address != addr.String() {
			continue
		}
		r.asked = status.Asked
		switch status.State {
		case checks.Up.String():
			r.state = checks.Up
			if status.Ramp > 0 {
				r.ramp = status.Ramp
			}
		case checks.Down.String():
			r.state = checks.Down
			if seen.Panics && status.Weight > 0 { // held although it is down
				r.state = checks.Up
			}
		}
	}
	if len(vs.Services) > 0 {
		for _, d := range have.Services[vs.Services[0].ID].Destinations {
			if d.Addr == addr {
				r.kept = &d.Weight
			}
		}
	}
	return r
}

// leftovers returns the destinations that are to be drained, since they are ours
// and no longer configured.
func leftovers(vs *conf.VirtualServer, have ipvsctl.Table, own owned) []ipvsctl.Destination {
	if len(vs.Services) == 0 {
		return nil
	}
	id := vs.Services[0].ID
	configured := func(addr netip.AddrPort) bool {
		return vs.Sorry != nil && vs.Sorry.Address() == addr ||
			slices.ContainsFunc(vs.Reals, func(r conf.RealServer) bool { return r.Address() == addr })
	}
	var left []ipvsctl.Destination
	for _, d := range have.Services[id].Destinations {
		_, ours := own.rows[ipvsctl.Row{Service: id, Destination: d.Addr}]
		if ours && !configured(d.Addr) {
			left = append(left, d)
		}
	}
	return left
}

// inKernel tells whether the kernel has a destination of a virtual server.
func inKernel(vs *conf.VirtualServer, addr netip.AddrPort, have ipvsctl.Table) bool {
	return len(vs.Services) > 0 && holds(have.Services[vs.Services[0].ID], addr)
}

// previewDaemons returns the sync daemon that belongs to the role of its group;
// nil, which leaves the daemons alone, when the role is not known.
func previewDaemons(config *conf.Config, groups []GroupStatus) map[ipvsctl.DaemonState]ipvsctl.Daemon {
	for _, p := range config.Groups {
		if p.Sync == nil {
			continue
		}
		for _, g := range groups {
			switch {
			case g.Name != p.Group:
			case g.State == vrrp.Master.String():
				return map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncMaster: *p.Sync}
			default:
				return map[ipvsctl.DaemonState]ipvsctl.Daemon{ipvsctl.SyncBackup: *p.Sync}
			}
		}
	}
	return nil
}
