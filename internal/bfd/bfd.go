// Package bfd speaks Bidirectional Forwarding Detection: it tells within a few
// packets' time whether a neighbour and the path to it work.
//
// It is the asynchronous mode of RFC 5880, over one hop (RFC 5881) and over
// several (RFC 5883), for IPv4 and IPv6. A Session is one neighbour as
// configured; a Speaker holds any number of them and tells their changes. The
// protocol itself is machine, a pure state machine.
//
// Not done: authentication (packets with it are dropped), the echo function,
// and demand mode of our own, though a neighbour may use it.
package bfd

import (
	"fmt"
	"net/netip"
	"time"
)

// The defaults of a Session's timing. They find a failure in 900 ms.
const (
	DefaultInterval   = 300 * time.Millisecond
	DefaultMultiplier = 3
)

// Session is one neighbour as configured. It is comparable.
type Session struct {
	Peer      netip.Addr
	Source    netip.Addr // to send from; the kernel's choice if invalid
	Interface string     // that the neighbour is on; by the routes if empty
	Multihop  bool       // there are routers between

	Transmit   time.Duration // at least so long between packets that we send while up
	Receive    time.Duration // at least so long between packets that we want to receive
	Multiplier uint8         // after so many packets missing, the other side says down
	MinTTL     uint8         // multihop: packets with less are dropped
	Passive    bool          // wait for the neighbour to speak first
}

// id is what makes a session another session, not one with other parameters.
type id struct {
	peer, source netip.Addr
	iface        string
	multihop     bool
}

func (s Session) id() id { return id{s.Peer, s.Source, s.Interface, s.Multihop} }

// Same reports whether two sessions lead to the same neighbour by the same way:
// there can be only one of them.
func (s Session) Same(other Session) bool { return s.id() == other.id() }

// Conflicts reports whether a neighbour's first packet could belong to either of
// two sessions: they must differ in the neighbour, in the number of hops, or in
// an interface or a source that both have.
func (s Session) Conflicts(other Session) bool {
	return s.Peer == other.Peer && s.Multihop == other.Multihop &&
		(s.Interface == other.Interface || s.Interface == "" || other.Interface == "") &&
		(s.Source == other.Source || !s.Source.IsValid() || !other.Source.IsValid())
}

// covers reports whether a packet came the way of the session.
func (s Session) covers(d Datagram) bool {
	return s.Peer == d.Source && s.port() == d.Port &&
		(s.Interface == "" || s.Interface == d.Interface) &&
		(!s.Source.IsValid() || s.Source == d.To)
}

// port returns where the session's packets come in.
func (s Session) port() Port { return Port{V6: s.Peer.Is6(), Multihop: s.Multihop} }

// Status is how a session is.
type Status struct {
	Name    string
	Session Session
	State   State
	Since   time.Time
	// Known is false until the session was up once, or has had its time to come up.
	Known      bool
	Reason     string // why it is not up
	Problem    string // why packets cannot be sent; empty when they can
	Diagnostic Diagnostic
	Local      uint32 // our discriminator
	Remote     uint32 // the neighbour's; 0 while nothing is heard of it

	RemoteState      State
	RemoteDiagnostic Diagnostic

	Interval  time.Duration // between our packets, before jitter
	Detection time.Duration // without a packet means down; 0 before the first

	Sent, Received, Dropped uint64
	Downs                   uint64 // how often it went down after it was up
}

// Up reports whether neighbour and path work.
func (s Status) Up() bool { return s.State == Up }

// Report is how all sessions are, by their names.
type Report struct {
	Sessions []Status
	Dropped  map[string]uint64 // packets that were dropped, by the reason
	Problems []string          // why packets cannot come in
}

// State is a session's state (RFC 5880, section 4.1).
type State uint8

// The states.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the state's name as the RFC writes it.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Diagnostic is why a session went down last (RFC 5880, section 4.1).
type Diagnostic uint8

// The diagnostics that we set.
const (
	NoDiagnostic      Diagnostic = 0
	DetectionExpired  Diagnostic = 1
	NeighborSignaled  Diagnostic = 3
	AdministratorDown Diagnostic = 7
)

var diagnostics = [...]string{
	"no diagnostic",
	"control detection time expired",
	"echo function failed",
	"neighbor signaled session down",
	"forwarding plane reset",
	"path down",
	"concatenated path down",
	"administratively down",
	"reverse concatenated path down",
}

// String returns the diagnostic in the RFC's words.
func (d Diagnostic) String() string {
	if int(d) < len(diagnostics) {
		return diagnostics[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}
