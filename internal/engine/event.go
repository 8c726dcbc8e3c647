package engine

import (
	"time"
)

// Event is one thing that happened. The log, `director tail`, the API's stream
// and the dashboard are views of the same events. Fields that do not apply are empty.
type Event struct {
	Seq           uint64        `json:"seq"` // grows by one with each event of this run
	Time          time.Time     `json:"time"`
	Kind          Kind          `json:"kind"`
	VirtualServer string        `json:"virtual_server,omitempty"`
	RealServer    string        `json:"real_server,omitempty"`
	Group         string        `json:"group,omitempty"`
	SyncGroup     string        `json:"sync_group,omitempty"`
	Check         string        `json:"check,omitempty"`
	Session       string        `json:"session,omitempty"` // of BFD
	From          string        `json:"from,omitempty"`
	To            string        `json:"to,omitempty"`
	Reason        string        `json:"reason,omitempty"`
	Status        string        `json:"status,omitempty"`     // what the probe saw: "503"
	Latency       time.Duration `json:"latency_ns,omitempty"` // of the probe
	Lag           time.Duration `json:"lag_ns,omitempty"`     // how late probes started
	Error         string        `json:"error,omitempty"`
	Operator      string        `json:"operator,omitempty"` // who asked for it
}

// Kind is what sort of thing an event tells.
type Kind string

// The kinds of events.
const (
	KindStart    Kind = "start"    // the daemon started or is stopping
	KindCheck    Kind = "check"    // a check's verdict on a real server
	KindReal     Kind = "real"     // a real server's state: up, down, unknown
	KindWeight   Kind = "weight"   // a real server's checks ask for another weight
	KindQuorum   Kind = "quorum"   // a virtual server won or lost its quorum
	KindPanic    Kind = "panic"    // too few servers of a pool are up to believe it
	KindPace     Kind = "pace"     // the machine cannot keep up with its checks, or can again
	KindRole     Kind = "role"     // a group's VRRP state
	KindTrack    Kind = "track"    // something a group tracks went up or down
	KindBFD      Kind = "bfd"      // a BFD session went up or down
	KindHook     Kind = "hook"     // a hook ended
	KindReload   Kind = "reload"   // a reload was taken or refused
	KindDrift    Kind = "drift"    // the kernel did not hold what it should
	KindApply    Kind = "apply"    // the kernel refused something
	KindSync     Kind = "sync"     // the connection-sync daemon changed
	KindSplit    Kind = "split"    // another router is master of a group too, or no longer
	KindConflict Kind = "conflict" // somebody else claims an address of a group, or no longer
	KindOperator Kind = "operator" // somebody asked for something

	KindMaintenance Kind = "maintenance" // a file takes a real server into maintenance, or does so no longer
)

// Kinds returns every kind, in the order in which they are documented.
func Kinds() []Kind {
	return []Kind{KindStart, KindCheck, KindReal, KindWeight, KindQuorum, KindPanic, KindPace, KindRole, KindTrack, KindBFD, KindHook,
		KindReload, KindDrift, KindApply, KindSync, KindSplit, KindConflict, KindOperator, KindMaintenance}
}
