package vrrp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// lan is a network in memory: the interfaces eth0 of some machines, on one wire.
type lan struct {
	mu    sync.Mutex
	hosts []*lanHost
	arp   map[netip.Addr]int // where the neighbours think an address is
	seen  int                // packets

	strangers map[netip.Addr]net.HardwareAddr // who answers for an address and says nothing else
	questions []asking                        // who has an address
}

// lanHost is a machine on it, and the host that its Router sees.
type lanHost struct {
	unready error // what prepare says; set before boot
	lan     *lan
	id      int
	changed chan struct{}

	// Guarded by lan.mu.
	links   links
	ports   []*lanPort
	ears    []*lanEar
	cut     bool          // hears and is heard by nobody
	refuse  error         // of hold
	stuck   time.Duration // how long the kernel takes
	noport  error         // of open
	history []string      // of addresses
	tables  lanTables
}

func newLAN() *lan {
	return &lan{arp: make(map[netip.Addr]int), strangers: make(map[netip.Addr]net.HardwareAddr)}
}

// count tells how many packets were sent so far.
func (n *lan) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen
}

// at tells where the neighbours think an address is.
func (n *lan) at(ip string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.arp[netip.MustParseAddr(ip)]
}

// add makes a machine with an address 10.0.0.(id+1)/24 and a link-local one.
func (n *lan) add() *lanHost {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &lanHost{lan: n, id: len(n.hosts), changed: make(chan struct{}, 1)}
	h.links = links{"eth0": {
		index: 2, name: "eth0", up: true, mac: net.HardwareAddr{2, 0, 0, 0, 0, byte(h.id)},
		addresses: []linkAddress{
			{prefix: netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", h.id+1)), permanent: true},
			{prefix: netip.MustParsePrefix(fmt.Sprintf("fe80::%d/64", h.id+1)), permanent: true},
		},
	}}
	n.hosts = append(n.hosts, h)
	return h
}

// change changes the machine's interfaces as somebody else would.
func (h *lanHost) change(f func(links)) {
	h.lan.mu.Lock()
	h.links = maps.Clone(h.links)
	f(h.links)
	h.lan.mu.Unlock()
	mark1(h.changed)
}

func mark1(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (h *lanHost) watch(ctx context.Context, tell func(table)) error {
	for {
		h.lan.mu.Lock()
		tell(table{h.links, time.Now()})
		h.lan.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-h.changed:
		}
	}
}

func (h *lanHost) renew(list []holding) error { return each(list, h.hold) }

// each does to each of a list what may fail.
func each(list []holding, do func(holding) error) error {
	var errs []error
	for _, is := range list {
		errs = append(errs, do(is))
	}
	return errors.Join(errs...)
}

func (h *lanHost) hold(is holding) error {
	l, p := is.link, is.prefix
	h.wait()
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	k := h.links[l.name]
	if !k.has(p) {
		h.history = append(h.history, "+"+p.String())
		h.links = maps.Clone(h.links)
		k.addresses = append(slices.Clone(k.addresses), linkAddress{prefix: p, mine: true})
		h.links[l.name] = k
		if p.Addr().Is6() {
			mark1(h.changed) // in IPv4 the monitor does not hear of it
		}
	}
	return nil
}

func (h *lanHost) release(l link, p netip.Prefix) error {
	h.wait()
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	k := h.links[l.name]
	if k.has(p) {
		h.history = append(h.history, "-"+p.String())
		h.links = maps.Clone(h.links)
		k.addresses = slices.DeleteFunc(slices.Clone(k.addresses), func(a linkAddress) bool { return a.prefix == p })
		h.links[l.name] = k
		mark1(h.changed)
	}
	return nil
}

// wait is the kernel taking its time.
func (h *lanHost) wait() {
	h.lan.mu.Lock()
	d := h.stuck
	h.lan.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

func (h *lanHost) prepare(link, netip.Addr) error { return h.unready }

func (h *lanHost) announce(l link, ip netip.Addr) error {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if !h.links[l.name].has(netip.PrefixFrom(ip, 24)) && !h.links[l.name].has(netip.PrefixFrom(ip, 64)) {
		return errors.New("announcing an address that is not here")
	}
	if h.links[l.name].up && !h.cut {
		h.lan.arp[ip] = h.id
	}
	return nil
}

func (h *lanHost) forget(link) error { return nil }

// set changes the machine's behaviour.
func (h *lanHost) set(f func(h *lanHost)) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	f(h)
}

// holds tells whether the machine has an address.
func (h *lanHost) holds(s string) bool {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	return h.links["eth0"].has(netip.MustParsePrefix(s))
}

// had tells how the addresses came and went.
func (h *lanHost) had() []string {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	return slices.Clone(h.history)
}

// router is a Router under test and what it has reported.
type router struct {
	*Local
	t      *testing.T
	host   *lanHost
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned err
	err    error

	mu     sync.Mutex
	known  map[string]Status // by group
	all    []Report
	story  []string // transitions
	trials []string // problems
}

// boot starts a router on the machine.
func (h *lanHost) boot(t *testing.T, o Orders) *router {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &router{
		Local: newLocal(zaptest.NewLogger(t).Named(fmt.Sprint(h.id)), host{h, h, h, h}),
		t:     t, host: h, cancel: cancel, done: make(chan struct{}),
	}
	r.Order(Command{Orders: &o})
	go func() {
		defer close(r.done)
		r.err = r.Run(ctx)
	}()
	go r.read(ctx)
	return r
}

func (r *router) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case rep := <-r.Reports():
			r.mu.Lock()
			r.all = append(r.all, rep)
			if rep.Whole || r.known == nil {
				r.known = make(map[string]Status)
			}
			for _, s := range rep.Status {
				r.known[s.Group] = s
			}
			r.trials = append(r.trials, rep.Problems...)
			for _, tr := range rep.Transitions {
				r.story = append(r.story, fmt.Sprintf("%s %s>%s: %s", tr.Group, tr.From, tr.To, tr.Reason))
			}
			r.mu.Unlock()
		}
	}
}

// end cancels the router and waits.
func (r *router) end() {
	r.t.Helper()
	r.cancel()
	r.wait()
}

// wait waits until the router has ended by itself.
func (r *router) wait() {
	r.t.Helper()
	<-r.done
	if r.err != nil {
		r.t.Errorf("run: %v", r.err)
	}
}

// status returns the last status of a group.
func (r *router) status(group string) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[group]
}

// heard returns the reports so far and forgets them.
func (r *router) heard() []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// told returns the transitions so far and forgets them.
func (r *router) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.story, "\n")
	r.story = nil
	return s
}

// problems returns what could not be done so far and forgets it.
func (r *router) problems() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(slices.Compact(r.trials), "\n")
	r.trials = nil
	return s
}

// front is a group of one IPv4 address on eth0, advertised every 100 ms.
func front(priority uint8) Group {
	return Group{
		Name: "front", Interface: "eth0", RouterID: 51, Version: 3, Priority: priority,
		Interval: 100 * time.Millisecond, Preempt: true, Lease: 10 * time.Second,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.100/24")},
	}
}

func orders(groups ...Group) Orders { return Orders{Config: Config{Groups: groups}} }

func nopLog() *zap.Logger { return zap.NewNop() }

// has tells whether the link holds an address.
func (l link) has(p netip.Prefix) bool {
	return slices.ContainsFunc(l.addresses, func(a linkAddress) bool { return a.prefix == p })
}
