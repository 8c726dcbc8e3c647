package engine

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/bfd"
)

// Sessions are BFD sessions at work. A bfd.Speaker is one.
type Sessions interface {
	Run(ctx context.Context) error
	Set(sessions map[string]bfd.Session)
	Reports() <-chan bfd.Report
}

// sessions is the engine's side of BFD: what it was told, and who follows it.
type sessions struct {
	reports   <-chan bfd.Report
	wanted    map[string]bfd.Session  // of the running configuration
	followers map[string][]checks.Key // monitors, by the session's name
	known     map[string]bfd.Status   // told last
	report    bfd.Report
}

// setSessions takes the sessions of a configuration, and tells monitors that are
// new what is known of theirs.
func (e *Engine) setSessions(config *conf.Config, monitors map[checks.Key]checks.Monitor) {
	if e.opts.Sessions == nil {
		return
	}
	s := &e.sessions
	wanted := make(map[string]bfd.Session, len(config.BFD))
	for _, b := range config.BFD {
		wanted[b.Name] = b.Session
	}
	for name, was := range s.known {
		if to, stays := wanted[name]; !stays || !to.Same(was.Session) {
			delete(s.known, name)
		}
	}
	s.wanted, s.followers = wanted, followers(config, monitors)
	e.opts.Sessions.Set(wanted)
	for _, st := range s.known {
		e.tellFollowers(st)
	}
}

// followers returns the monitors that follow each session.
func followers(config *conf.Config, monitors map[checks.Key]checks.Monitor) map[string][]checks.Key {
	leadsTo := make(map[netip.Addr]string, len(config.BFD)) // one, where no name is needed
	for _, b := range config.BFD {
		leadsTo[b.Session.Peer] = b.Name
	}
	found := make(map[string][]checks.Key)
	for key, m := range monitors {
		if probe, ok := m.Probe.(checks.BFD); ok {
			name := cmp.Or(probe.Session, leadsTo[probe.Neighbor])
			found[name] = append(found[name], key)
		}
	}
	return found
}

// takeSessions takes note of how the sessions are.
func (e *Engine) takeSessions(report bfd.Report) {
	s := &e.sessions
	for _, p := range report.Problems {
		if !slices.Contains(s.report.Problems, p) {
			e.event(Event{Kind: KindBFD, Error: p})
		}
	}
	s.report = report
	for _, st := range report.Sessions {
		if is, ok := s.wanted[st.Name]; !ok || !is.Same(st.Session) {
			continue // told before the configuration changed
		}
		before := s.known[st.Name]
		if st.Problem != before.Problem && st.Problem != "" {
			e.event(Event{Kind: KindBFD, Session: st.Name, Error: st.Problem})
		}
		if ev, news := sessionEvent(before, st); news {
			e.event(ev)
		}
		s.known[st.Name] = st
		if sessionVerdict(before) != sessionVerdict(st) || before.Reason != st.Reason {
			e.tellFollowers(st)
		}
	}
	e.stale = true
}

// sessionEvent returns what to tell of a session's change, if there was one
// that matters: those on the way up do not.
func sessionEvent(before, after bfd.Status) (ev Event, news bool) {
	from, to := sessionVerdict(before), sessionVerdict(after)
	ev = Event{Kind: KindBFD, Session: after.Name, From: from.String(), To: to.String(), Reason: after.Reason}
	switch {
	case from != to:
		return ev, to != checks.Unknown
	case to == checks.Up && after.Downs > before.Downs:
		ev.Reason = "went down meanwhile, and is up again"
		return ev, true
	}
	return ev, false
}

// sessionVerdict is what a session says of its neighbour.
func sessionVerdict(s bfd.Status) checks.State {
	switch {
	case !s.Known:
		return checks.Unknown
	case s.Up():
		return checks.Up
	}
	return checks.Down
}

// tellFollowers tells the monitors that follow a session how it is.
func (e *Engine) tellFollowers(st bfd.Status) {
	if !st.Known {
		return
	}
	seen := checks.Observation{OK: st.Up(), Status: strings.ToLower(st.State.String())}
	if !seen.OK {
		seen.Reason = "bfd: " + st.Reason
	}
	for _, key := range e.sessions.followers[st.Name] {
		e.opts.Pool.Tell(key, seen)
	}
}

// BFDStatus tells how the BFD sessions are.
type BFDStatus struct {
	Problems []string          `json:"problems,omitempty"`
	Dropped  map[string]uint64 `json:"dropped_by,omitempty"` // packets, by the reason
	Sessions []SessionStatus   `json:"sessions"`
}

// SessionStatus is one BFD session.
type SessionStatus struct {
	Name      string    `json:"name"`
	Neighbor  string    `json:"neighbor"`
	Interface string    `json:"interface,omitempty"`
	Source    string    `json:"source,omitempty"`
	Multihop  bool      `json:"multihop"`
	State     string    `json:"state"` // up, init, down; unknown until it was up or has had its time
	Since     time.Time `json:"since"`
	Reason    string    `json:"reason"`            // why it is not up
	Problem   string    `json:"problem,omitempty"` // why nothing can be sent

	Diagnostic       string `json:"diagnostic"` // of RFC 5880, ours and the neighbour's
	RemoteState      string `json:"remote_state"`
	RemoteDiagnostic string `json:"remote_diagnostic"`
	Local            uint32 `json:"local_discriminator"`
	Remote           uint32 `json:"remote_discriminator"`

	Interval  time.Duration `json:"interval_ns"`  // between our packets, as agreed upon
	Detection time.Duration `json:"detection_ns"` // so long without a packet is down

	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	Dropped  uint64 `json:"dropped"`
	Downs    uint64 `json:"downs"` // how often it went down
}

func (e *Engine) bfdStatus() *BFDStatus {
	if len(e.config.BFD) == 0 {
		return nil
	}
	s := &e.sessions
	status := &BFDStatus{Problems: s.report.Problems, Dropped: s.report.Dropped, Sessions: make([]SessionStatus, len(e.config.BFD))}
	for i, b := range e.config.BFD {
		st := s.known[b.Name]
		is := SessionStatus{Name: b.Name, Neighbor: b.Session.Peer.String(), Interface: b.Session.Interface, Multihop: b.Session.Multihop,
			State: checks.Unknown.String(), Since: st.Since, Reason: st.Reason, Problem: st.Problem,
			Diagnostic: st.Diagnostic.String(), RemoteState: strings.ToLower(st.RemoteState.String()), RemoteDiagnostic: st.RemoteDiagnostic.String(),
			Local: st.Local, Remote: st.Remote, Interval: st.Interval, Detection: st.Detection,
			Sent: st.Sent, Received: st.Received, Dropped: st.Dropped, Downs: st.Downs}
		if b.Session.Source.IsValid() {
			is.Source = b.Session.Source.String()
		}
		if st.Known {
			is.State = strings.ToLower(st.State.String())
		}
		status.Sessions[i] = is
	}
	return status
}
