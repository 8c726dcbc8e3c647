package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
	"github.com/lvs-director/director/vrrp"
)

// world is a daemon in a bubble: the in-memory kernel, scripted servers, and a
// router that does as the test says.
type world struct {
	t        *testing.T
	kernel   *ipvstest.Kernel
	servers  *servers
	router   *router
	engine   *Engine
	config   *conf.Config
	settings ipvsctl.SettingsTree
	marks    MarkKernel
	pool     []checks.Option
	sessions Sessions
	loadErr  error
	log      *zap.Logger // nil: the test's
	mu       sync.Mutex
	openErr  error
	leave    context.CancelCauseFunc
	over     chan error
}

// servers are real servers that are healthy unless said otherwise.
type servers struct {
	mu   sync.Mutex
	sick map[string]string // reason by address
	asks map[string]int    // weight by address
}

// hangs is the reason of a server that answers only when it is too late.
const hangs = "no answer"

func (s *servers) set(addr, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason == "" {
		delete(s.sick, addr)
	} else {
		s.sick[addr] = reason
	}
}

// ask makes a server ask for a weight.
func (s *servers) ask(addr string, weight int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks[addr] = weight
}

// unask makes a server ask for nothing any more, for a reason.
func (s *servers) unask(addr, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asks, addr)
	s.sick[addr] = reason
}

// probe asks a scripted server.
type probe struct {
	servers *servers
	addr    string
}

func (p probe) Kind() string { return "scripted" }
func (p probe) Key() string  { return p.addr }
func (p probe) Run(ctx context.Context) checks.Observation {
	p.servers.mu.Lock()
	reason := p.servers.sick[p.addr]
	asked, asks := p.servers.asks[p.addr]
	p.servers.mu.Unlock()
	if reason == hangs {
		<-ctx.Done()
	}
	time.Sleep(time.Millisecond) // no verdict comes before the engine has begun
	seen := checks.Observation{OK: reason == "", Reason: reason, Latency: time.Millisecond}
	if asks {
		seen.Weight = &asked
	}
	return seen
}

// router is a vrrp.Router that notes its commands and reports what a test says.
type router struct {
	mu       sync.Mutex
	commands []vrrp.Command
	reports  chan vrrp.Report
	stop     chan struct{}
	onStop   func()
}

func (r *router) Order(c vrrp.Command) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, c)
	if c.Stop {
		close(r.stop)
	}
}

func (r *router) Reports() <-chan vrrp.Report { return r.reports }

func (r *router) Run(ctx context.Context) error {
	select {
	case <-r.stop:
		r.onStop()
	case <-ctx.Done():
	}
	return nil
}

// orders returns the last orders and how many commands there were.
func (r *router) orders() (last *vrrp.Orders, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.commands {
		if c.Orders != nil {
			last = c.Orders
		}
	}
	return last, len(r.commands)
}

// first returns the first orders.
func (r *router) first() *vrrp.Orders {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commands[0].Orders
}

// newWorld returns a world whose daemon does not run yet.
func newWorld(t *testing.T, vss ...*conf.VirtualServer) *world {
	w := &world{
		t: t, kernel: ipvstest.New(), servers: &servers{sick: map[string]string{}, asks: map[string]int{}},
		config: &conf.Config{Node: "lb-a", StateDir: t.TempDir(), IPVS: conf.IPVS{Resync: 5 * time.Second, OnStop: conf.StopRemove, ProbeMarks: 0x0d000000}, VirtualServers: vss},
	}
	return w
}

// checked gives every real server of a pool a scripted check each second.
func (w *world) checked(vs *conf.VirtualServer) *conf.VirtualServer {
	for i := range vs.Reals {
		m := checks.Monitor{Probe: probe{w.servers, vs.Reals[i].Address().Addr().String()}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
		vs.Reals[i].Checks = []conf.Check{{Name: "scripted", Monitor: m, Key: m.Key()}}
	}
	return vs
}

// start runs the daemon and waits until it has nothing more to do at once.
func (w *world) start() {
	w.t.Helper()
	log := w.log
	if log == nil {
		log = zaptest.NewLogger(w.t)
	}
	w.router = &router{reports: make(chan vrrp.Report, 16), stop: make(chan struct{}), onStop: func() {}}
	w.engine = New(Options{
		Log: log, Config: w.config, Version: "test", Router: w.router, Pool: checks.NewPool(w.pool...),
		Open:     w.open,
		Marks:    w.marks,
		Sessions: w.sessions,
		Settings: w.settings,
		Loader:   func() (*conf.Config, error) { return w.config, w.loadErr },
	})
	var ctx context.Context
	ctx, w.leave = context.WithCancelCause(context.Background())
	w.over = make(chan error, 1)
	go func() { w.over <- w.engine.Run(ctx) }()
	synctest.Wait()
}

// open opens the kernel's table, if it can be opened yet.
func (w *world) open() (ipvsctl.Kernel, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kernel, w.openErr
}

// openLater makes the kernel's table one that can be opened.
func (w *world) openLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.openErr = nil
}

// stop ends the daemon for a reason and waits for its end.
func (w *world) stop(why error) {
	w.t.Helper()
	w.leave(why)
	if err := <-w.over; err != nil {
		w.t.Errorf("Run: %v", err)
	}
}

var errSignal = errors.New("a signal")

// after lets time pass.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// table compares the destinations of the first service of pool.
func (w *world) table(want string) {
	w.t.Helper()
	s, ok := w.kernel.Table().Services[pool(0).Services[0].ID]
	got := weights(s.Destinations)
	if !ok {
		got = "no service"
	}
	if got != want {
		w.t.Errorf("the kernel holds %q, want %q", got, want)
	}
}

// starts runs the daemon until the first verdicts and compares the table.
func (w *world) starts(want string) {
	w.t.Helper()
	w.start()
	w.after(2 * time.Second)
	w.table(want)
}

// turns has a server fail for a reason, or recover if there is none, and compares
// the table after the next verdict.
func (w *world) turns(addr, reason, want string) {
	w.t.Helper()
	w.servers.set(addr, reason)
	w.after(2 * time.Second)
	w.table(want)
}

// reload gives the daemon a configuration with other virtual servers.
func (w *world) reload(vss ...*conf.VirtualServer) {
	w.t.Helper()
	next := *w.config
	next.VirtualServers = vss
	w.config = &next
	if err := w.engine.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// told compares the events about the sorry server that contain a text.
func (w *world) told(text string, want ...string) {
	w.t.Helper()
	var got []string
	for _, line := range w.events(KindReal) {
		if strings.HasPrefix(line, sorryAddr.String()) && strings.Contains(line, text) {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// events returns the events of some kinds, one word each for what they are about.
func (w *world) events(kinds ...Kind) []string {
	var lines []string
	for _, ev := range w.engine.Journal().Recent(-1) {
		for _, k := range kinds {
			if ev.Kind == k {
				subject := ev.RealServer + ev.Group + ev.SyncGroup
				if subject == "" {
					subject = ev.VirtualServer
				}
				lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s>%s %s", subject, ev.From, ev.To, ev.Reason+ev.Error)))
			}
		}
	}
	return lines
}

// group makes the world's configuration one with a VRRP group and its sync daemon.
func (w *world) group(tracks ...vrrp.Track) {
	w.config.VRRP.Groups = []vrrp.Group{{Name: "front", Interface: "eth0", RouterID: 51, Version: 3, Priority: 150, Tracks: tracks,
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}}
	w.config.Groups = []conf.GroupPolicy{{Group: "front", Sync: &ipvsctl.Daemon{Interface: "eth1", SyncID: 51}}}
}

// becomes has the router report a state.
func (w *world) becomes(from, to vrrp.State) {
	w.router.reports <- vrrp.Report{Connected: true, Transitions: []vrrp.Transition{{Group: "front", From: from, To: to, Reason: "as the test says"}}}
	synctest.Wait()
}

// daemons renders the running sync daemons.
func (w *world) daemons() string {
	var words []string
	for state, d := range w.kernel.Table().Daemons {
		words = append(words, state.String()+" "+d.Interface)
	}
	return strings.Join(words, ", ")
}
