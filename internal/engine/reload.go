package engine

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// reloads tells how reloading went and who waits for it.
type reloads struct {
	load        func() // reads the configuration in the background
	loadedAt    time.Time
	taken       uint64
	lastError   string
	lastErrorAt time.Time
	running     bool
	again       bool // somebody asked while one was running: the file may have changed since
	waiting     []chan<- error
	next        []chan<- error // of those who asked while one was running
}

// loaded is what the loader brought.
type loaded struct {
	config *conf.Config
	err    error
}

// Reload reads the configuration again and takes it, all or nothing. The error
// says why it was refused; then nothing has changed.
func (e *Engine) Reload(ctx context.Context) error {
	reply := make(chan error, 1)
	if err := e.ask(ctx, func() error { e.beginReload(reply); return nil }); err != nil {
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-e.ended:
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beginReload has the configuration read in the background: that can take a
// second, in which health and roles go on.
func (e *Engine) beginReload(reply chan<- error) {
	r := &e.reloads
	if r.running {
		r.again = true
		r.next = append(r.next, reply)
		return
	}
	r.running = true
	r.waiting = append(r.waiting, reply)
	r.load()
}

// takeLoaded takes a configuration that was read, or keeps the old one.
func (e *Engine) takeLoaded(l loaded) {
	r := &e.reloads
	r.running = false
	if l.err != nil {
		r.lastError, r.lastErrorAt = l.err.Error(), time.Now()
		e.event(Event{Kind: KindReload, To: "refused", Reason: "the old configuration keeps running", Error: l.err.Error()})
	} else {
		r.taken++
		r.lastError, r.lastErrorAt = "", time.Time{}
		e.install(l.config)
		e.event(Event{Kind: KindReload, To: "taken", Reason: plural(len(l.config.VirtualServers), "virtual server")})
	}
	for _, reply := range r.waiting {
		e.owe(reply, l.err)
	}
	r.waiting = nil
	if r.again {
		r.again = false
		next := r.next
		r.next = nil
		for _, reply := range next {
			e.beginReload(reply)
		}
	}
}

// adopt reads the kernel's table before anything is decided, so that servers
// which it holds keep their weight until their first verdict.
func (e *Engine) adopt(config *conf.Config) {
	if len(config.VirtualServers) == 0 {
		return
	}
	if err := e.table.read(); err != nil {
		e.config = config
		e.applyFailed(err)
	}
}

// install makes a configuration the running one. Whatever is the same as before
// keeps its state: health, schedule, quorum, roles.
func (e *Engine) install(config *conf.Config) {
	old := e.byName
	e.config = config
	e.reloads.loadedAt = time.Now()
	monitors := e.monitors(config)
	e.opts.Pool.Set(monitors)
	e.keepHealth(monitors)
	e.setSessions(config, monitors)
	e.setFIFOs(config)

	services := make([]*service, len(config.VirtualServers))
	e.byName = make(map[string]*service, len(services))
	for i, vs := range config.VirtualServers {
		s := old[vs.Name]
		if s == nil || s.vs != vs {
			s = e.succeed(s, vs)
		}
		services[i], e.byName[vs.Name] = s, s
	}
	for name, s := range old {
		if e.byName[name] != s {
			e.table.forget(s.planned)
			delete(e.dirty, s)
		}
	}
	e.services = services
	e.findUsers()
	for s := range e.dirty {
		for i := range s.reals {
			e.judgeReal(user{s, i})
		}
		if s.vs.Sorry != nil {
			e.judgeReal(user{s, sorryServer})
		}
	}
	e.keepMaintenance()
	e.setWays(config)
	e.table.setTimeouts(config.IPVS.Timeouts)
	e.setMarks(config)
	e.keepSettings()
	e.advise()
	e.remember()
	e.table.prune = true
	e.roles.setConfig(config)
	e.followSync()
}

// monitors returns every monitor of a configuration by its key.
func (e *Engine) monitors(config *conf.Config) map[checks.Key]checks.Monitor {
	monitors := make(map[checks.Key]checks.Monitor)
	for _, vs := range config.VirtualServers {
		for r := range vs.Servers() {
			for i := range r.Checks {
				monitors[r.Checks[i].Key] = r.Checks[i].Monitor
			}
		}
	}
	for _, p := range config.Groups {
		for _, t := range p.Tracks {
			monitors[t.Monitor.Key()] = t.Monitor
		}
	}
	return monitors
}

// keepHealth keeps the results of monitors that are still configured. One that
// is new may have taken over the state of another with the same probe.
func (e *Engine) keepHealth(monitors map[checks.Key]checks.Monitor) {
	for key := range e.health {
		if _, ok := monitors[key]; !ok {
			delete(e.health, key)
		}
	}
	for key := range monitors {
		if _, known := e.health[key]; known {
			continue
		}
		status, _ := e.opts.Pool.Status(key)
		seen := status.Last
		seen.Weight = status.Weight // as in a Result: that holds, whichever probe has seen it
		e.health[key] = checks.Result{Key: key, To: status.State, At: status.Since, Seen: seen}
	}
}

// succeed makes the run-time side of a virtual server that is new or changed.
func (e *Engine) succeed(old *service, vs *conf.VirtualServer) *service {
	now := time.Now()
	s := &service{vs: vs, reals: make([]real, len(vs.Reals)), since: now, leaving: make(map[netip.AddrPort]*departure)}
	previous := make(map[netip.AddrPort]int)
	if old != nil {
		s.quorum, s.judged, s.since = old.quorum, old.judged, old.since
		for i := range old.vs.Reals {
			previous[old.vs.Reals[i].Address()] = i
		}
		for addr, d := range old.leaving {
			s.leaving[addr] = d
		}
	} else if e.table.valid && vs.DrainTimeout > 0 {
		// What an earlier run was draining, or should have been.
		for _, d := range leftovers(vs, e.table.known, e.table.own) {
			s.leaving[d.Addr] = &departure{destination: d, until: now.Add(vs.DrainTimeout)}
		}
	}
	e.succeedSorry(old, s, now)
	for i := range vs.Reals {
		addr := vs.Reals[i].Address()
		if j, ok := previous[addr]; ok {
			s.reals[i] = old.reals[j]
			delete(previous, addr)
		} else {
			kept := e.keptWeight(vs, addr)
			s.reals[i] = real{since: now, kept: kept, found: kept != nil && *kept > 0, override: e.over.of(vs.Name, addr.String())}
		}
		delete(s.leaving, addr)
	}
	for addr, j := range previous {
		if vs.DrainTimeout > 0 {
			s.leaving[addr] = &departure{destination: old.vs.Reals[j].Destination, until: now.Add(vs.DrainTimeout)}
		}
	}
	e.dirty[s] = struct{}{}
	return s
}

// succeedSorry makes the run-time side of a sorry server. One that serves and is
// no longer configured is drained, and so is one that was when the daemon ended.
func (e *Engine) succeedSorry(old, s *service, now time.Time) {
	s.sorry.since = now
	vs := s.vs
	if old == nil {
		s.served = vs.Sorry != nil && e.keptWeight(vs, vs.Sorry.Address()) != nil
		return
	}
	switch was := old.vs.Sorry; {
	case was == nil:
	case vs.Sorry != nil && vs.Sorry.Address() == was.Address():
		s.sorry, s.served = old.sorry, old.served
	case old.served && old.vs.SorryDrain > 0:
		s.leaving[was.Address()] = &departure{destination: was.Destination, until: now.Add(old.vs.SorryDrain)}
	}
}

// keptWeight returns the weight with which the kernel holds a real server.
func (e *Engine) keptWeight(vs *conf.VirtualServer, addr netip.AddrPort) *uint32 {
	if !e.table.valid || len(vs.Services) == 0 {
		return nil
	}
	for _, d := range e.table.known.Services[vs.Services[0].ID].Destinations {
		if d.Addr == addr {
			return &d.Weight
		}
	}
	return nil
}

// findUsers makes the index from monitors to the real servers that use them.
func (e *Engine) findUsers() {
	e.users = make(map[checks.Key][]user, len(e.health))
	for _, s := range e.services {
		for i := range s.vs.Reals {
			for j := range s.vs.Reals[i].Checks {
				key := s.vs.Reals[i].Checks[j].Key
				e.users[key] = append(e.users[key], user{s, i})
			}
		}
		if s.vs.Sorry != nil {
			for _, c := range s.vs.Sorry.Checks {
				e.users[c.Key] = append(e.users[c.Key], user{s, sorryServer})
			}
		}
	}
}

// remember makes the rows of the configuration ours on disk, before they get
// into the kernel.
func (e *Engine) remember() {
	if err := e.table.own.add(e.config, e.ways.services, e.drained()); err != nil {
		e.event(Event{Kind: KindApply, Reason: "after a crash our rows would count as foreign", Error: fmt.Sprintf("remember our rows: %v", err)})
	}
}

// drained returns the rows of what has left the configuration.
func (e *Engine) drained() []ipvsctl.Row {
	var rows []ipvsctl.Row
	for _, s := range e.services {
		for addr := range s.leaving {
			for i := range s.vs.Services {
				rows = append(rows, ipvsctl.Row{Service: s.vs.Services[i].ID, Destination: addr})
			}
		}
	}
	return rows
}

// rememberAgain writes the file of our rows if that failed before. That it fails
// still is no news.
func (e *Engine) rememberAgain() {
	if own := &e.table.own; own.stale && own.write() == nil {
		e.log.Info("our rows are remembered again", zap.String("file", own.path))
	}
}

// depart takes destinations that have left the configuration out of the table
// when their connections have ended or their time is up.
func (e *Engine) depart(now time.Time) {
	for _, s := range e.services {
		if len(s.leaving) == 0 {
			continue
		}
		counts, known := e.connections(s)
		for addr, d := range s.leaving {
			active := counts[addr]
			if now.Before(d.until) && !(known && active == 0) {
				continue
			}
			reason := "its connections have ended"
			if !known || active > 0 {
				reason = fmt.Sprintf("drain_timeout is up with %s left", plural(active, "connection"))
			}
			e.event(Event{Kind: KindReal, VirtualServer: s.vs.Name, RealServer: addr.String(), From: "drain", To: "removed", Reason: reason})
			delete(s.leaving, addr)
			e.invalidate(s)
		}
	}
}

// connectionCounter is a kernel that can count the connections of a service's
// destinations, active and inactive.
type connectionCounter interface {
	Connections(ipvsctl.ServiceID) (map[netip.AddrPort]int, error)
}

var _ connectionCounter = (*ipvsctl.Linux)(nil)

// connections counts the connections of a virtual server's destinations over all
// its services; known is false when the kernel cannot tell. The kernel is asked
// once for a service: it can only list all destinations.
func (e *Engine) connections(s *service) (counts map[netip.AddrPort]int, known bool) {
	counter, ok := e.table.kernel.(connectionCounter)
	if !ok {
		return nil, false
	}
	counts = make(map[netip.AddrPort]int)
	for i := range s.vs.Services {
		of, err := counter.Connections(s.vs.Services[i].ID)
		if err != nil {
			return nil, false
		}
		for addr, n := range of {
			counts[addr] += n
		}
	}
	return counts, true
}
