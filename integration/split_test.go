//go:build integration

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
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
