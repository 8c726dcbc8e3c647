// Package vrrp is the Virtual Router Redundancy Protocol (RFC 9568 for version
// 3, RFC 3768 for version 2): packets, the state machine, the groups that run
// it, and the virtual addresses that follow it.
//
// Names: a Group is one virtual router on one interface (the RFC's VRRP
// instance). Intervals on the wire are centiseconds (version 3) or seconds
// (version 2). Addresses are put on the interface as leases: with a kernel
// lifetime that the master refreshes, so that a dead or hung director loses
// them by itself.
//
// The package knows nothing of processes, configuration files or IPVS.
package vrrp

import (
	"context"
	"net/netip"
	"time"
)

// Group is the configuration of one virtual router.
type Group struct {
	Name         string
	Interface    string
	RouterID     uint8 // VRID, 1–255
	Version      int   // 2 or 3
	Priority     uint8 // 1–254; 255 is the owner of the addresses
	Interval     time.Duration
	Preempt      bool
	PreemptDelay time.Duration
	Addresses    []netip.Prefix // one family
	Lease        time.Duration  // kernel lifetime of the addresses
	Tracks       []Track

	Excluded    []netip.Prefix // held like Addresses, but not advertised; of either family
	StartDelay  time.Duration  // how long it waits after the start of the process before it takes part
	DownAdverts int            // advertisements missed before the master counts as gone; 0 is 3
	Unicast     *Unicast       // nil: multicast
	Password    string         // version 2: authentication type 1, at most 8 bytes; empty: none
	HMAC        *HMAC          // version 3: nil: none
	Closed      bool           // Accept_Mode is false: what is addressed to the addresses is dropped, unless IPVS takes it
	VirtualMAC  bool           // the addresses answer with the virtual router's MAC address (RFC 9568, section 7.3)
	Announce    Announce

	Routes []Route // while it is MASTER
	Rules  []Rule
}

// Unicast is how a group's advertisements travel where multicast does not.
type Unicast struct {
	Source netip.Addr   // of what is sent; invalid: the interface's own
	Peers  []netip.Addr // to whom it is sent, and from whom it is taken
	TTL    uint8        // of what is sent; 0 is 255
	MinTTL uint8        // of what is taken; 0 is 255: one hop only
}

// Announce is when a master announces its addresses (gratuitous ARP,
// unsolicited neighbour advertisement).
type Announce struct {
	Times   []time.Duration // after the takeover; nil is a schedule that copes with slow switches
	Refresh time.Duration   // and again at this interval; 0 is never
	Spacing time.Duration   // at least between two announcements on one interface
}

// Track is something whose state changes a group's priority. With Weight zero,
// down means FAULT; else a negative Weight is added to the priority while it is
// down and a positive one while it is up. See Track.effect.
type Track struct {
	Kind   string // "interface" is watched by vrrp itself; all others are told to it
	Name   string
	Weight int
	Number bool // what counts while it is up is its value, times Weight
	// A change counts once it has lasted for so long; the first state does at once.
	UpDelay, DownDelay time.Duration
}

// SyncGroup makes its groups one: all MASTER, or none.
type SyncGroup struct {
	Name   string
	Groups []string
}

// Config is all that is configured of VRRP.
type Config struct {
	Groups      []Group
	SyncGroups  []SyncGroup
	EngineGrace time.Duration // mastership is given up when no orders came for so long
	Static      Fixtures      // always there
	Mark        uint8         // of fixtures in the kernel; 0 is DefaultMark
}

// Empty tells whether there is nothing for VRRP to do.
func (c Config) Empty() bool { return len(c.Groups) == 0 && c.Static.empty() }

// TrackState is the state of a track that the engine watches. A track without
// a state is as it was before; if it never had any it is treated as down when
// its Weight is zero, and as of no effect otherwise.
type TrackState struct {
	Group, Kind, Name string
	Up                bool
	Value             int // of a Number
	Reason            string
	Tentative         bool // not a verdict: counts only until there was one, also an earlier engine's
}

// Orders are all that the engine wants of VRRP. They are a level: sending the
// same orders twice changes nothing, except that they prove the engine alive.
type Orders struct {
	Config Config
	Tracks []TrackState
}

// State is the state of a group (RFC 9568, section 6.4, and FAULT).
type State uint8

// The states. Fault is ours: the group cannot take part, and says why.
const (
	Initialize State = iota
	Backup
	Master
	Fault
)

// String returns the state as operators write it: INIT, BACKUP, MASTER, FAULT.
func (s State) String() string {
	switch s {
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	}
	return "INIT"
}

// Transition is a change of a group's state.
type Transition struct {
	Group    string
	From, To State
	Reason   string // "peer priority higher (150 > 100)"
	At       time.Time
}

// Status is a group's present state.
type Status struct {
	Group        string
	State        State
	Since        time.Time
	Reason       string
	Priority     uint8 // effective: with tracks applied
	MasterAddr   netip.Addr
	MasterPrio   uint8
	Addresses    []netip.Prefix // held now
	Routes       int            `json:",omitzero"` // of the group's, there now
	Rules        int            `json:",omitzero"`
	Closed       int            `json:",omitzero"` // addresses whose packets are dropped, unless IPVS takes them
	Stats        Stats
	LatenessMax  time.Duration // the latest that an advertisement was sent, since start
	LastAdvertAt time.Time     `json:",omitzero"`  // heard from another router
	Tracks       []TrackStatus `json:",omitempty"` // in the order of the configuration
	Split        Split         `json:",omitzero"`  // proof of a second master
	Stranger     Stranger      `json:",omitzero"`  // somebody else who claims an address
}

// TrackStatus is how a track counts now.
type TrackStatus struct {
	Kind, Name string
	Known      bool // whether it has ever had a state
	Up         bool
	Value      int // of a Number
	Reason     string
	Points     int       // that it adds to the priority
	Fault      bool      // whether the group is in FAULT for it
	Changes    time.Time // when it will count otherwise, if it stays as it is; zero: it is as it counts
}

// Split is proof that there are, or were, two masters: advertisements of
// another one, heard while master for long enough to have silenced it.
type Split struct {
	Now      bool // still heard
	Since    time.Time
	Last     time.Time // zero: never
	Addr     netip.Addr
	Priority uint8
	Adverts  uint64 // heard since the start of the group
}

// Stats counts a group's packets since it started.
type Stats struct {
	Sent, Received   uint64
	BecameMaster     uint64
	ReleasedMaster   uint64
	Dropped          map[string]uint64 // by reason: "checksum", "ttl", "version", ...
	ZeroSent         uint64            // advertisements of priority 0
	ZeroReceived     uint64
	AnnouncementsOut uint64 // gratuitous ARPs and unsolicited NAs
	Mismatched       uint64 // taken, but with another list of addresses than ours
	SendErrors       uint64 // advertisements that the kernel refused
}

// Report is what VRRP tells the engine: transitions in their order, at most
// once each, and the status of those groups that have changed since the report
// before. The status is the truth if a transition was lost. What is only counted
// is no change; of many groups it comes by turns, a part in each report.
type Report struct {
	Transitions []Transition
	Status      []Status
	Whole       bool     // Status is of all the groups there are
	Problems    []string // orders that could not be carried out, each with its reason
	Connected   bool     // whether VRRP answers at all
}

// Router is VRRP as the engine sees it: in this process (tests) or in its own
// (vrrp/worker). Run ends when ctx does; it then leaves mastership by rule
// (priority 0, addresses off) only if Stop was ordered before.
type Router interface {
	// Order replaces the orders; it never blocks. What the command points to is
	// not changed afterwards: the same pointer again are the same orders.
	Order(Command)
	// Reports is where Router tells what happened. The reader must keep up.
	Reports() <-chan Report
	// Run works until ctx is done.
	Run(ctx context.Context) error
}

// Command is something the engine wants done. Exactly one field is set.
type Command struct {
	Orders   *Orders
	Failover []string // hand these groups over gracefully; empty but not nil is all
	Stop     bool     // leave mastership by rule, take the addresses off, end
}
