package vrrp

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// lanEar hears who claims addresses on the LAN.
type lanEar struct {
	host  *lanHost
	addrs []netip.Addr
	in    chan claim
	done  chan struct{}
}

func (h *lanHost) overhear(_ link, addrs []netip.Addr) (ear, error) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	e := &lanEar{host: h, addrs: addrs, in: make(chan claim, 16), done: make(chan struct{})}
	h.ears = append(h.ears, e)
	return e, nil
}

func (e *lanEar) next() (claim, error) {
	select {
	case <-e.done:
		return claim{}, net.ErrClosed
	case c := <-e.in:
		return c, nil
	}
}

func (e *lanEar) close() error {
	e.host.lan.mu.Lock()
	defer e.host.lan.mu.Unlock()
	e.host.ears = slices.DeleteFunc(e.host.ears, func(o *lanEar) bool { return o == e })
	close(e.done)
	return nil
}

// claim lets all machines of the LAN hear that an address is at a MAC address.
func (n *lan) claim(ip string, mac net.HardwareAddr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := claim{index: 2, addr: netip.MustParseAddr(ip), mac: mac}
	for _, h := range n.hosts {
		for _, e := range h.ears {
			if slices.Contains(e.addrs, c.addr) {
				e.in <- c
			}
		}
	}
}

// TestStranger reports who claims the master's address for longer than a moment,
// until a minute after the last time. Its peer and itself are no strangers.
func TestStranger(t *testing.T) {
	stranger := net.HardwareAddr{2, 0, 0, 0, 0, 99}
	claims := func(lan *lan, ip string, mac net.HardwareAddr, n int) {
		for range n {
			lan.claim(ip, mac)
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
	}
	duo(t, func(t *testing.T, a, b *router) {
		lan := a.host.lan
		time.Sleep(2 * time.Second)
		claims(lan, "10.0.0.100", net.HardwareAddr{2, 0, 0, 0, 0, 0}, 4) // a's own
		claims(lan, "10.0.0.100", stranger, 1)
		if s := a.status("front").Stranger; s.Now || s.MAC != stranger.String() {
			t.Errorf("after a moment: %+v", s)
		}
		began := time.Now()
		claims(lan, "10.0.0.100", stranger, 4)
		time.Sleep(statusEvery)
		synctest.Wait()
		s := a.status("front").Stranger
		if !s.Now || s.Addr != netip.MustParseAddr("10.0.0.100") || s.MAC != stranger.String() || s.Since.After(began) {
			t.Errorf("claimed for 2s: %+v", s)
		}
		if s := b.status("front").Stranger; !s.Last.IsZero() {
			t.Errorf("the backup, whose address it is not: %+v", s)
		}
		time.Sleep(strangerMemory + statusEvery)
		synctest.Wait()
		if s := a.status("front").Stranger; s.Now {
			t.Errorf("a minute later: %+v", s)
		}
	})
}

// TestStrangerIsNoSuccessor: an address that was claimed before this router
// became master, or as it ceased to be, is claimed by nobody else.
func TestStrangerIsNoSuccessor(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		time.Sleep(2 * time.Second)
		a.host.lan.claim("10.0.0.100", net.HardwareAddr{2, 0, 0, 0, 0, 1})
		a.Order(Command{Failover: []string{"front"}})
		time.Sleep(10 * time.Second) // and comes back
		synctest.Wait()
		for _, r := range []*router{a, b} {
			if s := r.status("front"); s.Stranger.Now {
				t.Errorf("%s: %+v", s.State, s.Stranger)
			}
		}
	})
}
