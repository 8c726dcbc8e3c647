// Package conf reads Director's configuration: HCL files in, a Config made of
// the domain packages' own values out, or diagnostics that name file, line and
// source text. A Config is checked: what it holds can be carried out as far as
// that can be known without the kernel.
package conf

import (
	"iter"
	"net/netip"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
	"github.com/lvs-director/director/vrrp"
)

// Config is a whole configuration, with all defaults filled in.
type Config struct {
	Node       string
	RuntimeDir string // sockets
	StateDir   string // what outlives a restart
	// MaintenanceDir has a file for each real server, or host, that is in
	// maintenance; empty is none.
	MaintenanceDir string
	Log            Log
	API            API
	IPVS           IPVS
	VRRP           vrrp.Config
	BFD            []BFD         // in the order of the files
	FIFOs          []FIFO        // likewise
	Groups         []GroupPolicy // one for each of VRRP.Groups, in the same order
	// SyncGroupHooks are by the sync group's name, and then by the state that all
	// of it have entered: "master", "backup", "fault".
	SyncGroupHooks map[string]map[string]Hook
	// VirtualServers are in the order of the files. One whose text and inputs did
	// not change since the Loader's last load is the same pointer, so that a reload
	// costs what changed. They are never written after the load.
	VirtualServers []*VirtualServer
}

// Log says where the log goes.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // console, json
	File   string // empty: standard error
}

// API says where Director answers.
type API struct {
	Socket string // unix socket; full control
	Listen string // host:port of the read-only HTTP server; empty is none
}

// OnStop is what happens to our rows when the daemon stops.
type OnStop uint8

// The choices of on_stop.
const (
	StopKeep OnStop = iota
	StopDrain
	StopRemove
)

// IPVS is what concerns the whole table.
type IPVS struct {
	Timeouts      ipvsctl.Timeouts
	Resync        time.Duration
	RemoveForeign bool
	OnStop        OnStop // default remove, as keepalived does; a restart by SIGUSR2 keeps all
	// ProbeMarks is the first of the WayMarks firewall marks of checks that go
	// through forwarding.
	ProbeMarks uint32
	// Settings of the kernel that are kept as they are here.
	Settings        ipvsctl.Settings
	RestoreSettings bool // put them back at the stop
}

// GroupPolicy is what the engine, not VRRP, does for a group.
type GroupPolicy struct {
	Group  string          // the vrrp.Group's name
	Sync   *ipvsctl.Daemon // connection_sync; nil is none. At most one group has it
	Tracks []ScriptTrack
	Hooks  map[string]Hook // by the state entered: "master", "backup", "fault"
}

// ScriptTrack is a script, a file, a process or a BFD session whose verdict a group tracks.
type ScriptTrack struct {
	Name    string
	Monitor checks.Monitor
	Initial checks.State // until the first verdict; Unknown is none
}

// Hook is a command that is run when a group, a sync group, a virtual server or
// a real server has entered a state.
type Hook struct {
	Command checks.Command
	Timeout time.Duration
	// Keepalived has keepalived's arguments added to those of a group's or a sync group's hook.
	Keepalived bool
}

// OnFailure is what becomes of a real server that is down.
type OnFailure uint8

// The choices of on_failure.
const (
	Drain  OnFailure = iota + 1 // weight 0: established connections live
	Remove                      // out of the table
)

// VirtualServer is one pool of real servers behind one or more IPVS services.
type VirtualServer struct {
	Name string
	// Services are the kernel's services that share the pool, without destinations.
	Services []ipvsctl.Service
	// Marked are the addresses whose packets Director gives the mark of the only
	// service; none when the services have the addresses, or others do the marking.
	Marked       []marks.Target
	Reals        []RealServer
	OnFailure    OnFailure
	InitialUp    bool // initial = "up": a new server is used before its first verdict
	Quorum       int  // weight that must be up; default 1
	Hysteresis   int
	Sorry        *RealServer   // gets the connections without quorum; nil is none
	SorryDrain   time.Duration // how long the sorry server may keep its connections afterwards
	DrainTimeout time.Duration // how long a removed server may keep its connections; 0 is not at all
	SlowStart    time.Duration // over which a recovered server's weight grows to its full; 0 is at once
	// PanicThreshold is the share of the real servers, in percent, below which
	// those that were up last are kept, whatever their checks say. 0 is never.
	PanicThreshold int
	Hooks          map[string]Hook // by what has become of the quorum: "up", "down"; "stop" is for the daemon's end
}

// Servers gives the real servers and, behind them, the sorry server.
func (v *VirtualServer) Servers() iter.Seq[*RealServer] {
	return func(yield func(*RealServer) bool) {
		for i := range v.Reals {
			if !yield(&v.Reals[i]) {
				return
			}
		}
		if v.Sorry != nil {
			yield(v.Sorry)
		}
	}
}

// RealServer is one destination with its checks. All must be up.
type RealServer struct {
	Destination ipvsctl.Destination // Weight as configured
	Checks      []Check
	Hooks       map[string]Hook // by what its checks say: "up", "down"; "stop" is for the daemon's end; with those of its virtual server
}

// Check is a named use of a monitor.
type Check struct {
	Name    string // of the named check, else the probe's kind; no other of the real server has it
	Shared  string // what the configuration calls it, if another of the real server is called so
	Monitor checks.Monitor
	Key     checks.Key // Monitor.Key(), made once
	Way     *Way       // that it goes; nil is straight to the real server
}

// Called tells whether a name is the check's, or what the configuration calls it.
func (c Check) Called(name string) bool { return c.Name == name || c.Shared == name }

// Marks returns which packets are to be marked, over all virtual servers.
func (c *Config) Marks() marks.Table {
	all := marks.Table{}
	for _, vs := range c.VirtualServers {
		for _, target := range vs.Marked {
			all[target] = vs.Services[0].ID.FWMark
		}
	}
	return all
}

// Address returns the address that names the real server everywhere: in the
// status, in events and in commands.
func (r RealServer) Address() netip.AddrPort { return r.Destination.Addr }
