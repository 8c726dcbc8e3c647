package main

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// reals is where the real servers of the work are: all of them one box.
var reals = netip.MustParsePrefix("10.21.0.0/16")

// settling is how long checks run before they are counted, and counting how long
// they are counted.
const (
	settling = 5 * time.Second
	counting = 10 * time.Second
)

// checks measures 5,000 tcp checks, each once a second.
func (b *bench) checks() error {
	for range b.trials {
		for _, p := range b.peers {
			if err := b.checksOnce(p, 500); err != nil {
				return fmt.Errorf("%s: %w", p.name(), err)
			}
		}
	}
	return nil
}

func (b *bench) checksOnce(p peer, virtuals int) error {
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
	var served counter
	served.serve(listener)
	defer served.stop()
	r, err := startIn(n, p, work{virtuals: virtuals, check: time.Second}, 10*virtuals)
	if err != nil {
		return err
	}
	process := r.process
	time.Sleep(settling)
	cpu, err := process.CPU()
	if err != nil {
		return err
	}
	began, before := time.Now(), served.accepted.Load()
	time.Sleep(counting)
	took, checks := time.Since(began), float64(served.accepted.Load()-before)
	after, err := process.CPU()
	if err != nil {
		return err
	}
	if checks == 0 {
		return fmt.Errorf("no check in %v", took)
	}
	b.table.add("5,000 tcp checks, one a second each: time between two checks of a server", "ms", p.name(), milliseconds(took)*float64(10*virtuals)/checks)
	b.table.add("5,000 tcp checks, one a second each: processor time of a check", "µs", p.name(), float64((after-cpu).Microseconds())/checks)
	return process.Kill()
}

// counter is a server that counts connections.
type counter struct {
	listener net.Listener
	accepted atomic.Int64
	running  sync.WaitGroup
}

func (c *counter) serve(l net.Listener) {
	c.listener = l
	c.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			c.accepted.Add(1)
			c.running.Go(func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1)) // its end
			})
		}
	})
}

func (c *counter) stop() {
	c.listener.Close()
	c.running.Wait()
}
