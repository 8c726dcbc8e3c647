//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// margin is what the network, the kernel and the probe itself may add to the
// protocol's own times.
const margin = 50 * time.Millisecond

// stillness is how long the machine may have stood still in a trial that counts.
const stillness = 15 * time.Millisecond

// tries is how often a trial is made that the machine's standstill may have spoilt,
// and openings how often a connection is opened for it.
const (
	tries    = 4
	openings = 10
)

// lease is the lifetime of the pair's addresses.
const lease = 3 * time.Second

// pair is two directors in front of one real server, with A as master.
type pair struct {
	*lab.Network
	a, b      *lab.Director
	metronome *lab.Metronome
}

// newPair starts the pair and waits until A is master and both sync daemons are right.
func newPair(t *testing.T, interval time.Duration, more string) *pair {
	t.Helper()
	p := &pair{Network: newNetwork(t, lab.Options{Servers: 1})}
	servers(t, p.Network)
	echoes(t, p.Network)
	config := func(priority int) string {
		return more + group{priority: priority, interval: interval, lease: lease, sync: true, inside: true}.String() + `
ipvs {
  resync  = "1s"
  on_stop = "keep"
}
virtual_server "web" {
  address   = "10.0.0.100:80"
  scheduler = "rr"
  real_server "10.3.0.11:80" {}
}
virtual_server "echo" {
  address   = "10.0.0.100:7"
  scheduler = "rr"
  real_server "10.3.0.11:7" {}
}
virtual_server "ask" {
  address   = "10.0.0.100:7"
  protocol  = "udp"
  scheduler = "rr"
  real_server "10.3.0.11:7" {}
}
`
	}
	p.a = startDirector(t, p.Network, p.A, config(150))
	p.b = startDirector(t, p.Network, p.B, config(100))
	var err error
	p.metronome, err = lab.NewMetronome()
	must(t, err)
	t.Cleanup(p.metronome.Stop)
	p.awaitMaster(t, p.a, p.b)
	return p
}

// awaitMaster waits until one is master and the other backup in every respect:
// their own word, the addresses, the sync daemons.
func (p *pair) awaitMaster(t *testing.T, master, backup *lab.Director) {
	t.Helper()
	for _, name := range []string{"front", "inside"} {
		must(t, master.AwaitGroup(name, "MASTER", 20*time.Second))
		must(t, backup.AwaitGroup(name, "BACKUP", 10*time.Second))
	}
	for _, vip := range []netip.Addr{lab.VIP(0), lab.InsideVIP} {
		must(t, master.Box.AwaitAddress(vip, true, 5*time.Second))
		must(t, backup.Box.AwaitAddress(vip, false, 5*time.Second))
	}
	awaitSync(t, master.Box, "master eth1 51")
	awaitSync(t, backup.Box, "backup eth1 51")
}

// awaitAlone waits until one holds the addresses and the other, which is gone, does not.
func (p *pair) awaitAlone(t *testing.T, master *lab.Director) {
	t.Helper()
	other := p.A
	if master == p.a {
		other = p.B
	}
	for _, vip := range []netip.Addr{lab.VIP(0), lab.InsideVIP} {
		must(t, master.Box.AwaitAddress(vip, true, 5*time.Second))
		must(t, other.AwaitAddress(vip, false, lease+time.Second))
	}
}

// trial is what the client saw of one event.
type trial struct {
	at       time.Time     // of the event
	takeover time.Duration // until B answered
	outage   time.Duration // nobody answered through IPVS
	still    time.Duration // the machine stood still
	cut      error         // why the connection did not survive
}

func (r trial) String() string {
	ms := time.Millisecond
	return fmt.Sprintf("takeover %v, outage %v (the machine stood still for %v)", r.takeover.Round(ms), r.outage.Round(ms), r.still.Round(ms))
}

// connect opens a connection through A that B knows of. One that is cut because
// A has lost its mastership for a moment, as it may on a machine that stands
// still, is opened again.
func (p *pair) connect(t *testing.T, to netip.AddrPort) *lab.Flow {
	t.Helper()
	for try := 1; ; try++ {
		began := time.Now()
		flow, err := p.Client.NewFlow(t.Context(), to)
		must(t, err)
		// The kernel's sync tells the backup of a connection within 2 s.
		err = p.b.Box.AwaitSynced(flow.Source(), to, 20*time.Second)
		if err == nil {
			err = flow.Alive(2 * time.Second)
		}
		if err == nil {
			return flow
		}
		flow.Close()
		still := p.metronome.Latest(began)
		if still <= stillness || try == openings {
			t.Fatalf("connect through A (the machine stood still for %v): %v", still, err)
		}
		p.awaitMaster(t, p.a, p.b)
	}
}

// upset does something to A and watches B take over, with the client's probes
// every 5 ms and a connection through IPVS that must survive.
func (p *pair) upset(t *testing.T, what func() error) trial {
	t.Helper()
	flow := p.connect(t, at(7))
	defer flow.Close()
	ping, err := p.Client.Ping(lab.VIP(0), 5*time.Millisecond)
	must(t, err)
	defer ping.Stop()
	ask, err := p.Client.Ask(at(7), 5*time.Millisecond)
	must(t, err)
	defer ask.Stop()
	started := time.Now()
	_, err = ping.Await("A", started, 5*time.Second)
	must(t, err)
	_, err = ask.Await("rs1", started, 5*time.Second)
	must(t, err)

	event := time.Now()
	must(t, what())
	r := trial{at: event}
	r.takeover, err = ping.Await("B", event, 15*time.Second)
	must(t, err)
	// Answers go on to come: what B lost after it took over counts as well.
	_, err = ask.Await("rs1", time.Now().Add(100*time.Millisecond), 10*time.Second)
	must(t, err)
	r.outage = max(ask.Outage(event), ping.Outage(event))
	r.cut = flow.Alive(10 * time.Second)
	// From before the event: a machine that stood still then may have cost A its mastership.
	r.still = p.metronome.Latest(started)
	return r
}

// TestFailover kills, freezes, unplugs and stops the master. The outage that the
// client sees is at most what RFC 9568 gives the backup to notice. At 10 ms that is
// less than a busy machine may stand still, so that only the benchmark judges it.
func TestFailover(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			p := newPair(t, interval, "")
			noticed, left := masterDown(interval)+margin, skew(interval)+margin
			if interval < 100*time.Millisecond {
				noticed, left = time.Second, time.Second
			}
			events := []struct {
				name     string
				do, undo func() error
				takeover time.Duration // at most; zero: any
				outage   time.Duration // at most
				freed    bool          // A's addresses end with their lease
			}{
				// The dead master's kernel answers until the lease ends, so that hardly anything is lost.
				{"kill -9", func() error { return p.a.Kill() }, func() error { return p.a.Start() }, noticed, noticed, true},
				{"SIGSTOP", func() error { return p.a.SignalAll(syscall.SIGSTOP) }, func() error { return p.a.SignalAll(syscall.SIGCONT) }, noticed, noticed, true},
				{"link down", func() error { return p.Pull(p.A, "eth0") }, func() error { return p.Plug(p.A, "eth0") }, noticed, noticed, false},
				// It says that it leaves (priority 0): RFC 9568, section 6.4.2: the backup waits for its skew.
				{"SIGTERM", func() error { return p.a.Signal(syscall.SIGTERM) }, func() error { return p.a.Start() }, 0, left, false},
			}
			for _, e := range events {
				ok := t.Run(e.name, func(t *testing.T) {
					for try := 1; ; try++ {
						r := p.upset(t, e.do)
						t.Log(r)
						if e.freed {
							for _, vip := range []netip.Addr{lab.VIP(0), lab.InsideVIP} {
								must(t, p.A.AwaitAddress(vip, false, lease+time.Second-time.Since(r.at)))
							}
						}
						awaitSync(t, p.B, "master eth1 51")
						must(t, p.b.AwaitGroup("inside", "MASTER", time.Second))
						if e.name == "SIGTERM" {
							must(t, p.a.Wait(10*time.Second))
						}
						must(t, e.undo())
						p.awaitMaster(t, p.a, p.b)
						if (e.takeover == 0 || r.takeover <= e.takeover) && r.outage <= e.outage && r.cut == nil {
							return
						}
						if r.still <= stillness || try == tries {
							t.Fatalf("want takeover within %v, an outage of at most %v, and the connection alive (%v)", e.takeover, e.outage, r.cut)
						}
						t.Logf("the machine stood still for %v: trying again", r.still)
					}
				})
				if !ok {
					return // the pair is not as the next event needs it
				}
			}
		})
	}
}

// TestFailoverOfMarks moves a connection to a service of several addresses, whose
// packets both machines mark: the backup's kernel finds its service by the mark.
func TestFailoverOfMarks(t *testing.T) {
	p := newPair(t, 100*time.Millisecond, `
virtual_server "marked" {
  addresses = ["10.0.0.100:17", "10.0.0.100:27"]
  fwmark    = 17
  scheduler = "rr"
  real_server "10.3.0.11:7" {}
}
`)
	flow := p.connect(t, at(27))
	defer flow.Close()
	must(t, p.a.Kill())
	p.awaitAlone(t, p.b)
	must(t, flow.Alive(10*time.Second))
	must(t, p.a.Start())
	p.awaitMaster(t, p.a, p.b)
	must(t, flow.Alive(10*time.Second))
}

// TestEngineGrace freezes the engine alone: nobody watches the servers then, and
// the VRRP process gives mastership up when its patience ends.
func TestEngineGrace(t *testing.T) {
	const grace = 2 * time.Second
	p := newPair(t, 100*time.Millisecond, fmt.Sprintf("engine_grace = %q\n", grace.String()))
	ping, err := p.Client.Ping(lab.VIP(0), 5*time.Millisecond)
	must(t, err)
	defer ping.Stop()
	_, err = ping.Await("A", time.Now(), 5*time.Second)
	must(t, err)

	frozen := time.Now()
	must(t, p.a.Signal(syscall.SIGSTOP))
	took, err := ping.Await("B", frozen, grace+5*time.Second)
	must(t, err)
	t.Logf("B answers after %v", took)
	// The engine's last word came up to a second before it froze.
	if took < grace-1500*time.Millisecond || took > grace+time.Second {
		t.Errorf("handed over after %v, want about %v", took, grace)
	}
	if outage := ping.Outage(frozen); outage > skew(100*time.Millisecond)+margin+p.metronome.Latest(frozen) {
		t.Errorf("outage %v, want at most the skew", outage)
	}
	must(t, p.A.AwaitAddress(lab.VIP(0), false, time.Second))

	must(t, p.a.Signal(syscall.SIGCONT))
	p.awaitMaster(t, p.a, p.b)
}

// TestEngineRestart kills the engine of the master under traffic and starts it
// again: no request fails, nobody changes its role, and the table is not touched.
func TestEngineRestart(t *testing.T) {
	// A long interval: a machine that stands still for a moment makes no new master.
	p := newPair(t, 2*time.Second, "")
	worker, err := p.a.Worker()
	must(t, err)
	flow, err := p.Client.NewFlow(t.Context(), at(7))
	must(t, err)
	defer flow.Close()
	monitor, err := p.A.Watch()
	must(t, err)
	started := time.Now()
	load := p.Client.Load(t.Context(), at(80), 4)

	for range 2 {
		before := load.Requests()
		must(t, p.a.Signal(syscall.SIGKILL))
		must(t, p.a.Wait(5*time.Second))
		must(t, lab.Await(10*time.Second, func() error {
			if done := load.Requests() - before; done < 50 {
				return fmt.Errorf("%d requests without an engine", done)
			}
			return nil
		}))
		must(t, p.a.Start())
		awaitReady(t, p.a)
		must(t, p.a.AwaitGroup("front", "MASTER", 5*time.Second))
		after := load.Requests()
		must(t, lab.Await(10*time.Second, func() error {
			if done := load.Requests() - after; done < 50 {
				return fmt.Errorf("%d requests after the restart", done)
			}
			return nil
		}))
	}
	requests, failures := load.Stop()
	t.Logf("%d requests", requests)
	for _, err := range failures {
		t.Errorf("request failed: %v", err)
	}
	must(t, flow.Alive(5*time.Second))
	again, err := p.a.Worker()
	must(t, err)
	if again != worker {
		t.Errorf("the VRRP process was %d and is %d", worker, again)
	}
	must(t, monitor.Close())
	if got := monitor.Count(started); len(got) != 0 {
		t.Errorf("the kernel's table was changed: %v", got)
	}
	for _, d := range []*lab.Director{p.a, p.b} {
		status, err := d.Status()
		must(t, err)
		for _, g := range status.VRRP.Groups {
			if g.Since.After(started) {
				t.Errorf("group %s of %s has changed to %s: %s", g.Name, d.Node, g.State, g.Reason)
			}
		}
	}
}
