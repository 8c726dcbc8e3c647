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

// TestStranger gives the client the master's address: it asks by ARP from it, and
// the master tells who that is. A takeover makes nobody a stranger.
func TestStranger(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	b := startDirector(t, n, n.B, group{priority: 100, interval: 100 * time.Millisecond, lease: 2 * time.Second}.String())
	must(t, b.AwaitGroup("front", "MASTER", 20*time.Second))
	a := startDirector(t, n, n.A, group{priority: 150, interval: 100 * time.Millisecond, lease: 2 * time.Second}.String())
	must(t, a.AwaitGroup("front", "MASTER", 20*time.Second))
	must(t, b.AwaitGroup("front", "BACKUP", 10*time.Second))
	must(t, n.Client.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	mac, err := n.Client.MAC("eth0")
	must(t, err)
	must(t, lab.Await(20*time.Second, func() error {
		// Who sends from an address to a neighbour that is not there asks for it by ARP.
		must(t, speak(n.Client, lab.VIP(0), netip.MustParseAddr("10.0.0.250")))
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

// speak sends a packet from an address of a box, or any of its own.
func speak(box *lab.Namespace, from, to netip.Addr) error {
	return box.Do(func() error {
		var local *net.UDPAddr
		if from.IsValid() {
			local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("is anybody there?"))
		return errors.Join(err, conn.Close())
	})
}

// TestSilentStranger gives the client the master's addresses, of which it says
// nothing before it is asked, as a real server whose loopback answers for them. The
// master asks in a way that changes no cache, and takes no former master for a stranger.
func TestSilentStranger(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1, Front: true})
	config := func(priority int) string {
		front := group{priority: priority, interval: 100 * time.Millisecond, lease: 2 * time.Second}.String()
		return front + fmt.Sprintf(`
vrrp "six" {
  interface          = "eth0"
  virtual_router_id  = 61
  virtual_mac        = true
  priority           = %d
  advertise_interval = "100ms"
  address_lease      = "2s"
  addresses          = ["fe80::61/64", "%s/64"]
}
vrrp_sync_group "both" { groups = ["front", "six"] }
`, priority, lab.VIPv6(0))
	}
	a := startDirector(t, n, n.A, config(150))
	b := startDirector(t, n, n.B, config(100))
	master := func() {
		t.Helper()
		must(t, a.AwaitGroup("front", "MASTER", 20*time.Second))
		must(t, a.AwaitGroup("six", "MASTER", 20*time.Second))
		must(t, b.AwaitGroup("front", "BACKUP", 20*time.Second))
		must(t, b.AwaitGroup("six", "BACKUP", 20*time.Second))
	}
	master()
	conflicts := func() (n int) {
		for _, d := range []*lab.Director{a, b} {
			events, err := d.Events(engine.KindConflict)
			must(t, err)
			n += len(events)
		}
		return n
	}

	macA, err := n.A.MAC("eth0")
	must(t, err)
	var questions []*lab.Sniffer
	for _, filter := range []string{"arp[14:4] = 0 and arp[24:4] = 0x0a000064", "icmp6[0] = 135 and icmp6[20:4] = 0x64"} {
		q, err := n.Sniff(n.Client, "eth0", "ether src "+macA+" and "+filter)
		must(t, err)
		questions = append(questions, q)
	}
	handOver(t, a, b, "six")
	master()
	for _, q := range questions {
		_, err := q.Packet(20 * time.Second)
		must(t, err)
	}
	if got := conflicts(); got != 0 {
		t.Errorf("%d conflicts told of by a failover", got)
	}

	neighbour := map[netip.Addr]string{lab.VIP(0): macA, lab.VIPv6(0): "00:00:5e:00:02:3d"}
	follows := func() error {
		for addr, at := range neighbour {
			if mac, err := n.Servers[0].Neighbour(addr); err != nil || mac != at {
				return fmt.Errorf("the neighbour has %s at %q, want %s (%v)", addr, mac, at, err)
			}
		}
		return nil
	}
	for addr := range neighbour {
		must(t, speak(n.Servers[0], netip.Addr{}, addr))
	}
	must(t, lab.Await(10*time.Second, follows))
	must(t, n.Client.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 32)))
	must(t, n.Client.AddAddress("eth0", netip.PrefixFrom(lab.VIPv6(0), 128)))
	mac, err := n.Client.MAC("eth0")
	must(t, err)
	handOver(t, a, b, "six") // who becomes master asks soon
	master()
	must(t, lab.Await(30*time.Second, func() error {
		status, err := a.Command("status")
		if err != nil {
			return err
		}
		return contains(status,
			"an address of group front is somebody else's, too: "+mac+" claims 10.0.0.100",
			"an address of group six is somebody else's, too: "+mac+" claims "+lab.VIPv6(0).String())
	}))
	if got := conflicts(); got != 2 {
		t.Errorf("%d conflicts told of, want one of each group", got)
	}
	must(t, follows())
}
