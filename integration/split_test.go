//go:build integration

package integration

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// TestSplit keeps the directors from hearing each other while the client hears
// both: both become master. When they hear each other again, one is left, and
// the client's ARP table points at it.
func TestSplit(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	a := startDirector(t, n, n.A, group{priority: 150, interval: 100 * time.Millisecond}.String())
	b := startDirector(t, n, n.B, group{priority: 100, interval: 100 * time.Millisecond}.String())
	must(t, a.AwaitGroup("front", "MASTER", 20*time.Second))
	must(t, b.AwaitGroup("front", "BACKUP", 10*time.Second))
	macA, err := n.A.MAC("eth0")
	must(t, err)
	ping, err := n.Client.Ping(lab.VIP(0), 5*time.Millisecond)
	must(t, err)
	defer ping.Stop()

	for range 3 {
		must(t, n.Isolate(true))
		must(t, b.AwaitGroup("front", "MASTER", 10*time.Second))
		must(t, a.AwaitGroup("front", "MASTER", time.Second))
		// The client follows the last announcement: B's.
		_, err := ping.Await("B", time.Now(), 10*time.Second)
		must(t, err)

		must(t, n.Isolate(false))
		must(t, b.AwaitGroup("front", "BACKUP", 10*time.Second))
		must(t, a.AwaitGroup("front", "MASTER", time.Second))
		must(t, n.B.AwaitAddress(lab.VIP(0), false, 5*time.Second))
		_, err = ping.Await("A", time.Now(), 5*time.Second)
		must(t, err)
		must(t, lab.Await(5*time.Second, func() error {
			mac, err := n.Client.Neighbour(lab.VIP(0))
			if err == nil && mac != macA {
				err = fmt.Errorf("the client's ARP table has %s, A is %s", mac, macA)
			}
			return err
		}))
	}
}

// TestStranger gives the client the master's address: it asks by ARP from it, and
// the master tells who that is. A takeover makes nobody a stranger.
func TestStranger(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	b := startDirector(t, n, n.B, group{priority: 100, interval: 100 * time.Millisecond}.String())
	must(t, b.AwaitGroup("front", "MASTER", 20*time.Second))
	a := startDirector(t, n, n.A, group{priority: 150, interval: 100 * time.Millisecond}.String())
	must(t, a.AwaitGroup("front", "MASTER", 20*time.Second))
	must(t, b.AwaitGroup("front", "BACKUP", 10*time.Second))
	must(t, n.Client.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	mac, err := n.Client.MAC("eth0")
	must(t, err)
	must(t, lab.Await(20*time.Second, func() error {
		// Who sends from an address to a neighbour that is not there asks for it by ARP.
		err := n.Client.Do(func() error {
			from, to := netip.AddrPortFrom(lab.VIP(0), 0), netip.MustParseAddrPort("10.0.0.250:9")
			conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
			if err != nil {
				return err
			}
			_, err = conn.Write([]byte("is anybody there?"))
			return errors.Join(err, conn.Close())
		})
		must(t, err)
		status, err := a.Command("status")
		if err != nil {
			return err
		}
		return contains(status, "an address of group front is somebody else's, too: "+mac+" claims 10.0.0.100")
	}))
	for _, d := range []*lab.Director{a, b} {
		events, err := d.Events(engine.KindConflict)
		must(t, err)
		if want := map[*lab.Director]int{a: 1}[d]; len(events) != want {
			t.Errorf("%s tells of %+v, want %d", d.Node, events, want)
		}
	}
}
