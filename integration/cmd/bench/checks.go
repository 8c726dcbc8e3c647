package main

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// reals is where the real servers of the work are: all of them one box.
var reals = netip.MustParsePrefix("10.21.0.0/16")

// settling is how long things run before they are measured, and counting how long
// checks are counted.
const (
	settling = 5 * time.Second
	counting = 20 * time.Second
)

// checks measures 5,000 checks, each once a second, of each kind, and on a real
// processor 10,000 of tcp.
func (b *bench) checks() error {
	list := []work{{virtuals: 500, kind: "tcp"}, {virtuals: 500, kind: "http"}}
	peers := b.peers
	// keepalived makes no checks without IPVS. The director does, and says what is missing.
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil {
		list, peers = append(list, work{virtuals: 1000, kind: "tcp"}), []peer{director{}}
	}
	for range b.trials {
		for _, w := range list {
			w.check = time.Second
			for _, p := range peers {
				if err := b.checksOnce(p, w); err != nil {
					return fmt.Errorf("%s: %w", p.name(), err)
				}
			}
		}
	}
	return nil
}

func (b *bench) checksOnce(p peer, w work) error {
	n, err := lab.New(lab.Options{Servers: 1})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.Servers[0].LocalRoute(reals); err != nil {
		return err
	}
	if err := n.A.Route(reals, lab.ServerAddr(1)); err != nil {
		return err
	}
	listener, err := n.Servers[0].Listen(":80")
	if err != nil {
		return err
	}
	served := newServed(w.kind == "http")
	served.serve(listener)
	defer served.stop()
	r, err := p.start(n, n.A, w)
	if err != nil {
		return err
	}
	servers := 10 * w.virtuals
	if err := lab.Await(2*time.Minute, func() error { return served.all(servers) }); err != nil {
		return fmt.Errorf("%w; its log ends: %s", err, lastBytes(r.Log(), 1000))
	}
	time.Sleep(settling)
	cpu, err := r.CPU()
	if err != nil {
		return err
	}
	served.reset()
	began := time.Now()
	time.Sleep(counting)
	took, came := time.Since(began), served.count()
	after, err := r.CPU()
	if err != nil {
		return err
	}
	if came == 0 {
		return fmt.Errorf("no check in %v", took)
	}
	what := fmt.Sprintf("%d,000 %s checks, one a second each: ", servers/1000, w.kind)
	b.table.add(what+"time between two checks of a server", "ms", p.name(), milliseconds(took)*float64(servers)/float64(came))
	b.table.add(what+"processor time of a check", "µs", p.name(), float64((after-cpu).Microseconds())/float64(came))
	off := served.off(w.check)
	b.table.add(what+"spacing of a server's checks off by, median", "ms", p.name(), milliseconds(off[len(off)/2]))
	b.table.add(what+"spacing of a server's checks off by, 99th percentile", "ms", p.name(), milliseconds(off[len(off)*99/100]))
	return r.Kill()
}
