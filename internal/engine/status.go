package engine

import (
	"time"

	"github.com/lvs-director/director/checks"
)

// Status is an immutable snapshot of all that the daemon knows, made by the
// engine for others to read. Its JSON form is what `director status --json` prints.
type Status struct {
	Node           string           `json:"node"`
	Version        string           `json:"version"`
	Started        time.Time        `json:"started"`
	Config         ConfigStatus     `json:"config"`
	Kernel         KernelStatus     `json:"kernel"`
	Checks         PaceStatus       `json:"checks"`
	VRRP           VRRPStatus       `json:"vrrp"`
	BFD            *BFDStatus       `json:"bfd,omitempty"` // nil when no session is configured
	Hooks          HookStatus       `json:"hooks"`
	FIFOs          []FIFOStatus     `json:"notify_fifos,omitempty"`
	VirtualServers []*ServiceStatus `json:"virtual_servers"`
}

// HookStatus tells how the hooks keep up.
type HookStatus struct {
	Running int    `json:"running"`
	Waiting int    `json:"waiting"` // for their turn
	Failed  uint64 `json:"failed"`  // ended with an error, or with their time
	Dropped uint64 `json:"dropped"` // left out, since too many waited
}

// FIFOStatus is a named pipe that is told of states.
type FIFOStatus struct {
	Path    string `json:"path"`
	Written uint64 `json:"written"` // lines
	Dropped uint64 `json:"dropped"` // since nobody read, or the pipe could not be opened
	Full    bool   `json:"full"`    // lines are being dropped
}

// ConfigStatus tells which configuration runs and how the last reload went.
type ConfigStatus struct {
	Loaded      time.Time `json:"loaded"`     // the running one
	Reloads     uint64    `json:"reloads"`    // taken since the start
	LastError   string    `json:"last_error"` // why the last reload was refused; empty when it was taken
	LastErrorAt time.Time `json:"last_error_at"`
}

// KernelStatus tells how the table and the kernel agree.
type KernelStatus struct {
	InSync     bool      `json:"in_sync"`
	LastError  string    `json:"last_error"` // of the last apply or dump; empty when it worked
	LastResync time.Time `json:"last_resync"`
	Repairs    uint64    `json:"repairs"` // rows put right after somebody else changed them
	Operations uint64    `json:"operations"`
	Sync       string    `json:"sync"` // the sync daemon: "master on eth1, id 51", "backup …", ""
}

// PaceStatus tells how the checks of all real servers keep up. One probe that
// many use counts once.
type PaceStatus struct {
	Probes     int           `json:"probes"`
	InFlight   int           `json:"in_flight"`
	Waiting    int           `json:"waiting"` // due, but as many of their kind as may run are running
	Started    uint64        `json:"started"`
	LeftOut    uint64        `json:"left_out"`    // since intervals were longer than configured
	Repeated   uint64        `json:"repeated"`    // failed while the director did not run; asked again and not counted
	FailedHere uint64        `json:"failed_here"` // for want of something on this machine; not counted
	Lag        time.Duration `json:"lag_ns"`      // the latest start of the last 10 to 20 seconds
	Late       bool          `json:"late"`        // the machine cannot keep up
	Since      time.Time     `json:"since"`       // of Late; zero when it never was
	Reason     string        `json:"reason"`      // why late, and what to do; empty when not
}

// VRRPStatus tells how the VRRP process and its groups are.
type VRRPStatus struct {
	Connected bool          `json:"connected"`
	Problems  []string      `json:"problems,omitempty"`
	Groups    []GroupStatus `json:"groups"`
}

// GroupStatus is one VRRP group.
type GroupStatus struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	Reason    string    `json:"reason"`
	Interface string    `json:"interface"`
	RouterID  uint8     `json:"router_id"`
	Priority  uint8     `json:"priority"` // effective
	Master    string    `json:"master"`   // address of the master heard last
	Addresses []string  `json:"addresses"`
	Routes    int       `json:"routes,omitempty"` // virtual routes and rules that are in the kernel now
	Rules     int       `json:"rules,omitempty"`
	Closed    int       `json:"closed,omitempty"` // addresses that this machine does not answer for itself: accept = false
	Sent      uint64    `json:"sent"`
	Received  uint64    `json:"received"`
	Dropped   uint64    `json:"dropped"`

	DroppedBy map[string]uint64 `json:"dropped_by,omitempty"` // reason: count
	Late      time.Duration     `json:"late_ns"`              // the latest that an advertisement was sent
	Split     string            `json:"split,omitempty"`      // another master that is heard, since when
	Tracks    []TrackStatus     `json:"tracks,omitempty"`
	Stranger  string            `json:"stranger,omitempty"` // who else claims an address, since when
}

// TrackStatus is something that a group tracks.
type TrackStatus struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	State   string     `json:"state"`           // as it counts: up, down, unknown
	Value   int        `json:"value,omitempty"` // of a file that holds a number
	Reason  string     `json:"reason,omitempty"`
	Points  int        `json:"points"`               // that it adds to the priority
	Fault   bool       `json:"fault"`                // the group is FAULT for it
	Changes *time.Time `json:"changes_at,omitempty"` // when it counts otherwise, if it stays as it is; nil: it is as it counts
}

// ServiceStatus is one virtual server.
type ServiceStatus struct {
	Name       string        `json:"name"`
	Addresses  []string      `json:"addresses"` // "tcp 192.0.2.10:80"
	Scheduler  string        `json:"scheduler"`
	Forward    string        `json:"forward"`
	State      string        `json:"state"` // up, down
	Since      time.Time     `json:"since"`
	Reason     string        `json:"reason"` // "below quorum: weight 1 of 2 up"
	WeightUp   int           `json:"weight_up"`
	Quorum     int           `json:"quorum"`
	SorryInUse bool          `json:"sorry_in_use"`
	Sorry      *RealStatus   `json:"sorry_server,omitempty"`
	Panics     bool          `json:"panics"` // too few are up to believe it: those that were up last are kept
	Reals      []*RealStatus `json:"real_servers"`
}

// RealStatus is one real server of one virtual server.
type RealStatus struct {
	Address           string        `json:"address"`
	State             string        `json:"state"` // up, down, unknown
	Since             time.Time     `json:"since"`
	Reason            string        `json:"reason"`
	Weight            uint32        `json:"weight"`          // in the kernel now
	Configured        uint32        `json:"configured"`      // in the configuration
	Asked             *uint32       `json:"asked,omitempty"` // that its checks ask for instead; nil: for none
	Ramp              int           `json:"ramp,omitempty"`  // percent of its weight that it has in a slow start; 0: in none
	InTable           bool          `json:"in_table"`
	Override          string        `json:"override,omitempty"`        // what an operator asked for
	OverriddenBecause string        `json:"override_reason,omitempty"` // why
	Maintenance       string        `json:"maintenance,omitempty"`     // the file that has it drained
	Checks            []CheckStatus `json:"checks"`
}

// CheckStatus is one check of one real server.
type CheckStatus struct {
	key     checks.Key
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Through string        `json:"through,omitempty"` // the way through forwarding that it goes: "ipv4 dr 192.0.2.21"
	State   string        `json:"state"`
	Since   time.Time     `json:"since"`
	Reason  string        `json:"reason"`
	Status  string        `json:"status,omitempty"`
	Latency time.Duration `json:"latency_ns"`
	LastAt  time.Time     `json:"last_at"`
}
