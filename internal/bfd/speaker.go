package bfd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/internal/deadline"
)

// ErrSilent, as the cause of a cancelled context, makes Run end without a word:
// a successor takes the sessions up before the neighbours miss them.
var ErrSilent = errors.New("left to a successor")

const (
	// reportInterval is how often a Report comes when nothing changes.
	reportInterval = time.Second
	// lateness is how late a timer must be to say that this machine did not look.
	lateness = 20 * time.Millisecond
	// listenAgain is how long after a failure to listen it is tried again.
	listenAgain = time.Second
)

// Speaker holds sessions. See Run.
type Speaker struct {
	log     *zap.Logger
	network Network
	wanted  chan map[string]Session
	reports chan Report
	packets chan Datagram
	broken  chan brokenSocket

	// What follows belongs to Run's goroutine.
	byName   map[string]*peer
	byDiscr  map[uint32]*peer
	leaving  map[*peer]bool        // that the neighbour is to learn are administratively down
	queue    deadline.Queue[*peer] // that have something to do, by when
	sockets  map[Port]*listening
	dropped  [drops]uint64
	news     bool
	reported time.Time
	armed    time.Time // what the timer is set to
}

// listening is a socket that packets come in by.
type listening struct {
	socket  Receiver // nil while it cannot be opened
	problem string
	again   time.Time
}

// brokenSocket is a socket that can receive no more.
type brokenSocket struct {
	port   Port
	socket Receiver
	err    error
}

// NewSpeaker returns a Speaker without sessions. Nothing happens before Run.
func NewSpeaker(log *zap.Logger, network Network) *Speaker {
	return &Speaker{
		log:     log,
		network: network,
		wanted:  make(chan map[string]Session, 1),
		reports: make(chan Report),
		packets: make(chan Datagram, 256),
		broken:  make(chan brokenSocket),
		byName:  make(map[string]*peer),
		byDiscr: make(map[uint32]*peer),
		leaving: make(map[*peer]bool),
		sockets: make(map[Port]*listening),
	}
}

// Set replaces the sessions, by their names. One that leads to the same
// neighbour by the same way as before goes on, and agrees upon its new timing
// with the neighbour; one that is gone tells the neighbour that it is
// administratively down. Set does not wait; it is called from one goroutine.
func (s *Speaker) Set(sessions map[string]Session) {
	select {
	case <-s.wanted: // never taken: this one replaces it
	default:
	}
	s.wanted <- maps.Clone(sessions)
}

// Reports tells how the sessions are: soon after one has changed, and once a
// second while there are any. A reader that is late gets the newest.
func (s *Speaker) Reports() <-chan Report { return s.reports }

// Run speaks until ctx is done, and then tells the neighbours that their
// sessions are administratively down, unless the cause is ErrSilent.
func (s *Speaker) Run(ctx context.Context) error {
	receiving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var receivers sync.WaitGroup
	defer receivers.Wait()
	defer s.closeSockets()
	defer stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	done, wanted := ctx.Done(), s.wanted
	for {
		s.listen(receiving, &receivers)
		s.arm(timer)
		var reports chan<- Report
		var report Report
		if s.news {
			reports, report = s.reports, s.report()
		}
		select {
		case <-done:
			if errors.Is(context.Cause(ctx), ErrSilent) {
				for _, p := range s.byDiscr {
					p.hangUp()
				}
				return nil
			}
			s.install(nil)
			done, wanted = nil, nil // until the neighbours know
		case sessions := <-wanted:
			s.install(sessions)
		case d := <-s.packets:
			s.take(d)
		case b := <-s.broken:
			if l := s.sockets[b.port]; l != nil && l.socket == b.socket {
				s.lose(b.port, l, b.err)
			}
		case reports <- report:
			s.news, s.reported = false, time.Now()
		case <-timer.C:
			s.tick(time.Now())
		}
		if done == nil && len(s.leaving) == 0 {
			return nil
		}
	}
}

// install makes sessions those that there are.
func (s *Speaker) install(sessions map[string]Session) {
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		p := s.byName[name]
		if to, stays := sessions[name]; stays && to.Same(p.machine.config) {
			continue
		}
		delete(s.byName, name)
		s.dismiss(p, now)
	}
	for _, name := range slices.Sorted(maps.Keys(sessions)) {
		config := sessions[name]
		p := s.byName[name]
		if p == nil {
			for _, o := range slices.Collect(maps.Keys(s.leaving)) {
				if o.machine.config.Same(config) {
					s.forget(o) // there is only one session with a neighbour
				}
			}
			p = newPeer(name, config, s.discriminator(), now)
			s.byName[name], s.byDiscr[p.machine.mine] = p, p
		} else if config != p.machine.config {
			p.machine.configure(now, config)
		}
		s.flush(p, now)
	}
	s.news = true
}

// discriminator returns one that no session has. Chance keeps a former run's
// from being taken for this one's.
func (s *Speaker) discriminator() uint32 {
	for {
		if d := rand.Uint32(); d != 0 && s.byDiscr[d] == nil {
			return d
		}
	}
}

// take takes what has come in.
func (s *Speaker) take(d Datagram) {
	now := time.Now()
	p, why := parse(d.Payload[:d.Size])
	if why != kept {
		s.dropped[why]++
		return
	}
	to := s.find(d, p)
	if to == nil {
		s.dropped[dropSession]++
		return
	}
	// "If the received TTL or Hop Limit value is not equal to 255, the packet MUST
	// be discarded" (RFC 5881, section 5); over several hops it is the operator's.
	least := uint8(255)
	if d.Port.Multihop {
		least = to.machine.config.MinTTL
	}
	if d.TTL < least {
		why = dropTTL
	} else if why = to.machine.receive(now, p); why == kept {
		to.received++
	}
	if s.leaving[to] && why == dropAdmin {
		if p.state == Down || p.state == AdminDown {
			s.forget(to) // it knows
		}
		return
	}
	if why != kept {
		to.dropped++
		if why == dropTTL && !to.met {
			to.reason = fmt.Sprintf("packets come in with TTL %d, want at least %d", d.TTL, least)
		}
		s.dropped[why]++
	}
	s.flush(to, now)
}

// find returns the session that a packet belongs to, or nil: "If the Your
// Discriminator field is nonzero, it MUST be used to select the session" (RFC
// 5880, section 6.8.6), and by its addresses at the start of one.
func (s *Speaker) find(d Datagram, p packet) *peer {
	if p.yours != 0 {
		// A neighbour keeps its address; others have no business here.
		if to := s.byDiscr[p.yours]; to != nil && to.machine.config.covers(d) {
			return to
		}
		return nil
	}
	for _, to := range s.byName {
		if to.machine.config.covers(d) {
			return to
		}
	}
	return nil
}

// tick does what is due.
func (s *Speaker) tick(now time.Time) {
	if late := now.Sub(s.armed); late > lateness {
		for _, p := range s.byName {
			p.machine.pardon(now, late)
			s.plan(p)
		}
	}
	for {
		p, at, ok := s.queue.First()
		if !ok || at.After(now) {
			break
		}
		if s.leaving[p] && !now.Before(p.leaves) {
			s.forget(p)
			continue
		}
		p.machine.tick(now)
		if p.lookForVerdict(now) {
			s.news = true
		}
		s.flush(p, now)
	}
	if len(s.byName) > 0 && now.Sub(s.reported) >= reportInterval {
		s.news = true
	}
}

// flush sends what a session has to say and notes what has become of it.
func (s *Speaker) flush(p *peer, now time.Time) {
	for {
		packet, ok := p.machine.output(now, rand.Float64())
		if !ok {
			break
		}
		p.send(s.network, packet)
	}
	if p.changed(now) {
		s.news = true
	}
	s.plan(p)
}

// plan notes when a session has something to do.
func (s *Speaker) plan(p *peer) {
	if at := p.next(); at.IsZero() {
		s.queue.Remove(p)
	} else {
		s.queue.Set(p, at)
	}
}

// arm sets the timer to what is due next.
func (s *Speaker) arm(timer *time.Timer) {
	next := time.Now().Add(time.Hour)
	if len(s.byName) > 0 {
		next = time.Now().Add(reportInterval)
	}
	if _, at, ok := s.queue.First(); ok && at.Before(next) {
		next = at
	}
	if again := s.listenNext(); !again.IsZero() && again.Before(next) {
		next = again
	}
	s.armed = next
	timer.Reset(max(time.Until(next), 1))
}

// report tells how everything is.
func (s *Speaker) report() Report {
	r := Report{Dropped: make(map[string]uint64)}
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		r.Sessions = append(r.Sessions, s.byName[name].status())
	}
	for why, n := range s.dropped {
		if n > 0 {
			r.Dropped[drop(why).String()] = n
		}
	}
	for _, port := range slices.SortedFunc(maps.Keys(s.sockets), Port.compare) {
		if problem := s.sockets[port].problem; problem != "" {
			r.Problems = append(r.Problems, fmt.Sprintf("listen on %v: %s", port, problem))
		}
	}
	return r
}
