package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// service is one virtual server at run time: its configuration and what the
// engine knows about it.
type service struct {
	vs      *conf.VirtualServer
	reals   []real // beside vs.Reals
	sorry   real   // beside vs.Sorry
	served  bool   // the sorry server was in use when the rows were planned last
	quorum  bool
	judged  bool // whether the quorum was decided once
	panics  bool // too few are up: those that were up last are kept
	since   time.Time
	weight  int                           // that counted for the quorum last
	leaving map[netip.AddrPort]*departure // removed from the configuration, with connections left
	planned []ipvsctl.Service             // rows wanted now
	status  *ServiceStatus                // what was published last; nil when it is out of date
}

// real is one real server of one virtual server at run time.
type real struct {
	state    checks.State
	since    time.Time
	reason   string
	kept     *uint32 // see realView
	override Override
	// maintenance is the file that has it in maintenance; "" is none.
	maintenance string
	asked       *uint32   // see realView
	good        bool      // served when the service did not panic last
	found       bool      // served when the daemon began, and was not up since; see noteGood
	warming     time.Time // since when a slow start is under way; zero when none is
}

// wish is what is wanted of a real server by the operator, in either way: a
// file drains it, unless it is to be out of the table anyway.
func (r *real) wish() Override {
	if r.maintenance != "" && r.override.Mode != OverrideDisable {
		return Override{Mode: OverrideDrain}
	}
	return r.override
}

// departure is a destination that has left the configuration and is drained.
type departure struct {
	destination ipvsctl.Destination
	until       time.Time
}

// user is one use of a monitor: a real server of a service.
type user struct {
	service *service
	real    int // sorryServer is that
}

// sorryServer is the sorry server among the real servers of a service.
const sorryServer = -1

// configured returns the real server as the configuration has it.
func (u user) configured() *conf.RealServer {
	if u.real == sorryServer {
		return u.service.vs.Sorry
	}
	return &u.service.vs.Reals[u.real]
}

// state returns the real server as it is.
func (u user) state() *real {
	if u.real == sorryServer {
		return &u.service.sorry
	}
	return &u.service.reals[u.real]
}

// verdict is the AND of a real server's checks: down when one is down, up when
// all are up, unknown otherwise. The reason is that of the first that is down.
func verdict(cs []conf.Check, health func(checks.Key) checks.Result) (state checks.State, because conf.Check, seen checks.Observation) {
	state = checks.Up
	for _, c := range cs {
		switch r := health(c.Key); r.To {
		case checks.Down:
			return checks.Down, c, r.Seen
		case checks.Unknown:
			state, because, seen = checks.Unknown, c, r.Seen
		case checks.Up:
			if state == checks.Up {
				because, seen = c, r.Seen
			}
		}
	}
	return state, because, seen
}

// views returns what plan needs to know of the real servers.
func (s *service) views(now time.Time) []realView {
	views := make([]realView, len(s.reals))
	for i := range s.reals {
		views[i] = s.view(&s.reals[i], now)
	}
	return views
}

// view returns what plan needs to know of one real server.
func (s *service) view(r *real, now time.Time) realView {
	v := realView{state: r.state, kept: r.kept, override: r.wish(), asked: r.asked, ramp: 100}
	if !r.warming.IsZero() {
		v.ramp = rampPercent(now.Sub(r.warming), s.vs.SlowStart)
	}
	if s.panics && r.good && r.state == checks.Down {
		v.state = checks.Up
	}
	return v
}

// standing returns the weight that a real server has when it is warm and no
// operator has asked for anything; 0 is none.
func (u user) standing(now time.Time) uint32 {
	v := u.service.view(u.state(), now)
	v.override, v.ramp = Override{}, 100
	weight, _ := weightOf(u.service.vs, u.configured(), v)
	return weight
}

// judgePanic decides anew whether the service panics and tells whether that
// changed. While it does not, it remembers who is up. Of whom nothing is known yet,
// nothing has failed.
func (s *service) judgePanic() (changed bool) {
	passing := len(s.reals)
	for _, r := range s.reals {
		if r.state == checks.Down {
			passing--
		}
	}
	someGood := slices.ContainsFunc(s.reals, func(r real) bool { return r.good })
	panics := someGood && (isPanic(passing, len(s.reals), s.vs.PanicThreshold) || s.vs.PanicThreshold > 0 && s.deserted())
	changed = panics != s.panics
	s.panics = panics
	if !panics {
		s.noteGood()
	}
	return changed
}

// noteGood notes who serves. An engine that starts in a panic finds servers that
// serve although they are down. Verdicts come one by one, and the last may show the
// panic: until it has come, those whose own has come are not forgotten.
func (s *service) noteGood() {
	waits := slices.ContainsFunc(s.reals, func(r real) bool { return r.state == checks.Unknown })
	for i := range s.reals {
		r := &s.reals[i]
		r.found = r.found && waits && r.state != checks.Up
		r.good = r.found || r.serves()
	}
}

// serves tells whether a real server is up, or was before it was not known.
func (r *real) serves() bool {
	return r.state == checks.Up || r.state == checks.Unknown && r.kept != nil && *r.kept > 0
}

// deserted tells whether all that were found serving are down, and of others nothing
// is known yet: a pool that a panic keeps is not empty until their verdicts come.
func (s *service) deserted() bool {
	found, waits := false, false
	for i := range s.reals {
		r := &s.reals[i]
		if r.serves() {
			return false
		}
		found, waits = found || r.found, waits || r.state == checks.Unknown
	}
	return found && waits
}

// warm ends the slow starts that are over and tells whether any was under way.
func (s *service) warm(now time.Time) (any bool) {
	for i := range s.reals {
		r := &s.reals[i]
		if r.warming.IsZero() {
			continue
		}
		any = true
		if now.Sub(r.warming) >= s.vs.SlowStart {
			r.warming = time.Time{}
		}
	}
	return any
}

// awaits tells whether nothing is known yet of any of the real servers: a
// service that has just started is not down, it waits.
func (s *service) awaits() bool {
	return !s.judged && len(s.reals) > 0 && !slices.ContainsFunc(s.reals, func(r real) bool { return r.state != checks.Unknown })
}

// judge decides the quorum anew and tells whether it changed.
func (s *service) judge(now time.Time) (changed bool) {
	s.weight = weightUp(s.vs, s.views(now))
	had, hysteresis := s.quorum, s.vs.Hysteresis
	if !s.judged { // at the start there is nothing to be steady about
		had, hysteresis = false, 0
	}
	has := hasQuorum(had, s.weight, s.vs.Quorum, hysteresis)
	if !has && s.awaits() {
		return false
	}
	changed = !s.judged || has != s.quorum
	if changed {
		s.since = now
	}
	s.quorum, s.judged = has, true
	return changed
}

// state names what the service is: up with its quorum, down without, unknown
// before anything is known.
func (s *service) state() string {
	if s.awaits() {
		return checks.Unknown.String()
	}
	return upDown(s.quorum)
}

// reason says why the service has its quorum or not.
func (s *service) reason() string {
	if s.awaits() {
		return "waiting for the first checks"
	}
	if s.quorum {
		return fmt.Sprintf("weight %d up, quorum %d", s.weight, s.vs.Quorum)
	}
	return fmt.Sprintf("below quorum: weight %d up of %d wanted", s.weight, s.vs.Quorum)
}

// sorryServes tells whether the sorry server takes the place of all others. One
// that is down does not: those that are up are better than nobody.
func (s *service) sorryServes() bool {
	return !s.quorum && s.vs.Sorry != nil && s.sorry.state != checks.Down
}

// replan computes the rows that the service wants now.
func (s *service) replan(now time.Time) {
	serves := s.sorryServes()
	s.leaveSorry(serves, now)
	leaving := make([]ipvsctl.Destination, 0, len(s.leaving))
	for _, d := range s.leaving {
		leaving = append(leaving, d.destination)
	}
	s.planned = plan(s.vs, s.views(now), serves, leaving)
	s.status = nil
}

// leaveSorry drains the sorry server when it has ceased to serve, so that whom
// it has begun with it ends with.
func (s *service) leaveSorry(serves bool, now time.Time) {
	switch {
	case serves:
		delete(s.leaving, s.vs.Sorry.Address())
	case s.served && s.vs.Sorry != nil && s.vs.SorryDrain > 0:
		s.leaving[s.vs.Sorry.Address()] = &departure{destination: s.vs.Sorry.Destination, until: now.Add(s.vs.SorryDrain)}
	}
	s.served = serves
}
