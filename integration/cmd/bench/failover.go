package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// upsets are what happens to the master of a pair.
var upsets = []string{"kill -9", "hang", "graceful stop", "cable pulled", "reload", "failover command"}

// errSpoilt says that what happened in a trial is no answer to what was done to the
// master: the machine stood still for longer than a backup waits, or the backup had
// been waiting before.
var errSpoilt = errors.New("spoilt")

// backupPriority is the priority of the backup.
const backupPriority = 100

// failover measures what a client sees when something happens to the master of a pair.
func (b *bench) failover(interval time.Duration, trials int) error {
	for _, event := range upsets {
		for range trials {
			for _, p := range b.peers {
				err := errSpoilt
				for n := 0; n < attempts && errors.Is(err, errSpoilt); n++ {
					if err = b.failoverOnce(p, interval, event); errors.Is(err, errSpoilt) {
						fmt.Printf("%s, failover at %v, %s, is tried again: %v\n", p.name(), interval, event, err)
					}
				}
				// A peer that hangs spoils its own trial and no other.
				if err != nil {
					b.table.lose(p.name(), fmt.Sprintf("failover at %v, %s", interval, event), err)
				}
			}
		}
	}
	return nil
}

func (b *bench) failoverOnce(p peer, interval time.Duration, event string) error {
	n, err := lab.New(lab.Options{Servers: 1})
	if err != nil {
		return err
	}
	defer n.Close()
	echo, err := lab.NewEcho(n.Servers[0], 7)
	if err != nil {
		return err
	}
	defer echo.Close()
	master, err := p.start(n, n.A, work{pair: pair{interval: interval, priority: 150}})
	if err != nil {
		return err
	}
	if event == "failover command" && master.handOver == nil {
		return nil // it has none
	}
	if _, err := p.start(n, n.B, work{pair: pair{interval: interval, priority: backupPriority}}); err != nil {
		return err
	}
	every := max(min(interval/10, 5*time.Millisecond), 2*time.Millisecond) // more often would load an emulated machine more than VRRP does
	ping, err := n.Client.Ping(lab.VIP(0), every)
	if err != nil {
		return err
	}
	defer ping.Stop()
	ask, err := n.Client.Ask(netip.AddrPortFrom(lab.VIP(0), 7), every)
	if err != nil {
		return err
	}
	defer ask.Stop()
	if err := settled(n, ping, ask, interval); err != nil {
		return err
	}
	if err := lab.Ahead(); err != nil {
		return err
	}
	quiet := time.Now().Add(-10 * interval)
	return b.upset(&scene{n, master, ping, ask, interval, func() error {
		// At longer intervals it never stands still for long enough to matter.
		if late := max(ask.Paused(quiet), ping.Paused(quiet)); late > max(standstill, interval) {
			return fmt.Errorf("%w: the machine stood still for %v", errSpoilt, late.Round(time.Millisecond))
		}
		return nil
	}}, p, event)
}

// scene is a pair that serves a client.
type scene struct {
	network   *lab.Network
	master    running
	ping, ask *lab.Probe // of the virtual address, and through IPVS
	interval  time.Duration
	still     func() error // errSpoilt, if the machine has stood still
}

// upset has the event happen to the master, and notes what the client sees.
func (b *bench) upset(s *scene, p peer, event string) error {
	what := fmt.Sprintf("failover at %v, %s: ", s.interval, event)
	at := time.Now()
	if err := harm(s.network, s.master, event); err != nil {
		return err
	}
	if event == "reload" {
		// Long enough to read the configuration and for a backup to notice.
		if _, err := s.ask.Await("rs1", at.Add(2*time.Second+4*s.interval), 20*time.Second); err != nil {
			return err
		}
		if err := s.still(); err != nil {
			return err
		}
		b.table.add(what+"nobody answers through IPVS", "ms", p.name(), milliseconds(s.ask.Outage(at)))
		return nil
	}
	takeover, err := s.ping.Await("B", at, 20*time.Second)
	if err != nil {
		return errors.Join(err, s.still())
	}
	if _, err := s.ask.Await("rs1", time.Now().Add(100*time.Millisecond), 20*time.Second); err != nil {
		return err
	}
	if err := s.still(); err != nil {
		return err
	}
	if abrupt(event) && takeover < soonest(s.interval) {
		return fmt.Errorf("%w: the backup answered after %v, the master was late before", errSpoilt, takeover.Round(time.Millisecond))
	}
	outage := s.ask.Outage(at)
	if event == "cable pulled" {
		again, err := s.plug()
		if err != nil {
			return err
		}
		b.table.add(what+"nobody answers through IPVS when it is back", "ms", p.name(), milliseconds(again))
	}
	b.table.add(what+"until the backup answers", "ms", p.name(), milliseconds(takeover))
	b.table.add(what+"nobody answers through IPVS", "ms", p.name(), milliseconds(outage))
	return nil
}

// plug puts the master's cable back, and returns for how long nobody answers then.
func (s *scene) plug() (time.Duration, error) {
	back := time.Now()
	if err := s.network.Plug(s.network.A, "eth0"); err != nil {
		return 0, err
	}
	if _, err := s.ping.Await("A", back, 20*time.Second); err != nil {
		return 0, err
	}
	// The switch and the neighbours have had time to lead astray.
	if _, err := s.ask.Await("rs1", time.Now().Add(time.Second), 20*time.Second); err != nil {
		return 0, err
	}
	return s.ask.Outage(back), s.still()
}

// abrupt tells whether nothing but silence tells the backup of an event.
func abrupt(event string) bool {
	return event == "kill -9" || event == "hang" || event == "cable pulled"
}

// soonest is when a backup takes over whose master spoke an interval before it fell
// silent, as late as it may (RFC 9568, section 6.1: Active_Down_Interval).
func soonest(interval time.Duration) time.Duration {
	return 2*interval + (256-backupPriority)*interval/256
}

// harm makes the event happen to the master, A.
func harm(n *lab.Network, master running, event string) error {
	switch event {
	case "kill -9":
		return master.SignalAll(syscall.SIGKILL)
	case "hang":
		return master.SignalAll(syscall.SIGSTOP)
	case "graceful stop":
		return master.Signal(syscall.SIGTERM)
	case "cable pulled":
		return n.Pull(n.A, "eth0")
	case "reload":
		return master.Signal(syscall.SIGHUP)
	case "failover command":
		return master.handOver()
	}
	return fmt.Errorf("no event %q", event)
}

// settled waits until A is master, B is not, and the client has been served by A
// for some time.
func settled(n *lab.Network, ping, ask *lab.Probe, interval time.Duration) error {
	err := lab.Await(30*time.Second, func() error {
		a, err := n.A.SyncDaemon()
		if err != nil {
			return err
		}
		b, err := n.B.SyncDaemon()
		if err != nil {
			return err
		}
		if a != "master eth1 51" || b != "backup eth1 51" {
			return fmt.Errorf("sync daemons are %q and %q", a, b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.B.AwaitAddress(lab.VIP(0), false, 10*time.Second); err != nil {
		return err
	}
	quiet := time.Now().Add(5 * interval)
	if _, err := ping.Await("A", quiet, 20*time.Second); err != nil {
		return err
	}
	_, err = ask.Await("rs1", quiet, 20*time.Second)
	return err
}
