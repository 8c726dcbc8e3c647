package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Way is a path through IPVS that leads to one real server, whatever address
// the packets on it are sent to: that of a service for their mark, which has
// this server alone.
type Way struct {
	Mark uint32 // of the packets
	// Source ports, from FirstPort on, of which no other way to the same target
	// has one. IPVS knows a connection by its addresses and ports, not by its
	// mark, and for minutes after its end: from a port that another way has used,
	// a probe would reach the server of that way.
	FirstPort, Ports uint16
	Hint             string // what may be wrong when nothing answers

	turn *atomic.Uint32 // of the ports
}

// errNoWay is why a probe does not run whose way is not open.
var errNoWay = errors.New("the kernel has no row yet that leads to the real server")

// errVirtualSource is why a probe does not run that would ask an address from itself.
var errVirtualSource = errors.New("this machine has no address of its own towards the real server: give the check a source")

// wayKey is where WithWay leaves a way in a context.
type wayKey struct{}

// WithWay gives the way to a probe that goes one.
func WithWay(ctx context.Context, way Way) context.Context {
	if way.turn == nil {
		way.turn = new(atomic.Uint32)
	}
	return context.WithValue(ctx, wayKey{}, &way)
}

// wayOf returns the way in ctx; nil is none.
func wayOf(ctx context.Context) *Way {
	way, _ := ctx.Value(wayKey{}).(*Way)
	return way
}

// nextPort returns the next of the way's ports: that which has rested longest.
func (w *Way) nextPort() uint16 {
	return w.FirstPort + uint16(w.turn.Add(1)%uint32(max(w.Ports, 1)))
}

// tries is how many ports are tried in turn.
func (w *Way) tries() int {
	if w == nil {
		return 1
	}
	return int(max(w.Ports, 1))
}

// taken reports whether err is that a port is in use.
func taken(err error) bool {
	return errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// follow makes a socket go the way.
func (r Route) follow(fd, kind int, target netip.AddrPort, way *Way) error {
	if way == nil {
		return errNoWay
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(way.Mark)); err != nil {
		return fmt.Errorf("set mark %d: %w", way.Mark, err)
	}
	source := r.Source
	if !source.IsValid() {
		var err error
		if source, err = sourceTowards(r.Towards); err != nil {
			return err
		}
	}
	// The answer goes to the source: at the server the virtual address is its own.
	if source == target.Addr() {
		return errVirtualSource
	}
	if kind == unix.SOCK_STREAM {
		// Connections that have ended keep their port for a while (TIME_WAIT).
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := rawBind(fd, rawAddress(netip.AddrPortFrom(source, way.nextPort()))); err != nil {
		return fmt.Errorf("bind to %s: %w", source, err)
	}
	return nil
}

// sourceTowards returns the address from which the kernel would send to addr. It
// cannot be left to choose for the virtual address: where that is local, the
// kernel would choose the address itself.
func sourceTowards(addr netip.Addr) (netip.Addr, error) {
	family := unix.AF_INET6
	if addr.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("socket", err)
	}
	defer rawClose(fd)
	const any = 9 // nothing is sent
	to := rawAddress(netip.AddrPortFrom(addr, any))
	if err := rawConnect(fd, &to); err != nil {
		return netip.Addr{}, os.NewSyscallError("connect", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("getsockname", err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(name.Addr), nil
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(name.Addr), nil
	}
	return netip.Addr{}, errVirtualSource
}

// through returns the name of the way that a probe goes; empty is none. Probes
// that connect have their route in the field Route.
func through(p Probe) string {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Struct {
		return ""
	}
	if f := v.FieldByName("Route"); f.IsValid() {
		if route, ok := f.Interface().(Route); ok {
			return route.Through
		}
	}
	return ""
}

// SetWays says which ways are open, by their names. A monitor whose probe goes
// another does not run and keeps its state. One whose way has just been opened
// for the first time runs as soon as a new one does.
func (p *Pool) SetWays(ways map[string]Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, now := p.ways, time.Now()
	p.ways = make(map[string]*Way, len(ways))
	for name, way := range ways {
		way.turn = new(atomic.Uint32)
		if old := before[name]; old != nil {
			way.turn = old.turn
		}
		p.ways[name] = &way
	}
	for _, e := range p.entries {
		if e.through != "" && e.lastAt.IsZero() && e.InQueue() && before[e.through] == nil && p.ways[e.through] != nil {
			e.planFirst(p.epoch, p.planned(now))
			p.schedule.Set(e, e.due)
		}
	}
	p.poke()
}

// Forgive takes a verdict back that a monitor has told, for a reason that lies
// with this machine: it is in the state before again, and counts anew.
func (p *Pool) Forgive(key Key, state State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.entries[key]; e != nil {
		e.streak, e.told, e.since = streak{state: state}, state, time.Now()
	}
}

// hint adds to the reason of a failure what may be wrong with the way.
func (p *Pool) hint(e *entry, seen Observation) Observation {
	if way := p.ways[e.through]; way != nil && way.Hint != "" && !seen.OK && !seen.Ours && seen.Status == "" {
		seen.Reason += "; " + way.Hint
	}
	return seen
}
