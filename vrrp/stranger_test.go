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

func (h *lanHost) overhear(_ link, _ bool, addrs []netip.Addr) (ear, error) {
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

// hear lets a machine hear a claim. The caller holds lan.mu.
func (h *lanHost) hear(c claim) {
	for _, e := range h.ears {
		if slices.Contains(e.addrs, c.addr) {
			select {
			case e.in <- c:
			default:
			}
		}
	}
}

// asking is a question to the LAN.
type asking struct {
	by       int // the machine
	from, ip netip.Addr
	at       time.Time
}

// ask has whoever has the address answer: the other machines and strangers.
func (h *lanHost) ask(l link, from, ip netip.Addr) error {
	n := h.lan
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questions = append(n.questions, asking{h.id, from, ip, time.Now()})
	for _, o := range n.hosts {
		if k := o.links["eth0"]; o != h && !o.cut && !h.cut && k.up && k.hears(ip) {
			h.hear(claim{l.index, ip, k.mac})
		}
	}
	if mac, ok := n.strangers[ip]; ok {
		h.hear(claim{l.index, ip, mac})
	}
	return nil
}

// claim lets all machines of the LAN hear that an address is at a MAC address.
func (n *lan) claim(ip string, mac net.HardwareAddr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hosts {
		h.hear(claim{2, netip.MustParseAddr(ip), mac})
	}
}

// stranger has somebody answer for an address, or nobody.
func (n *lan) stranger(ip string, mac net.HardwareAddr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.strangers[netip.MustParseAddr(ip)] = mac; mac == nil {
		delete(n.strangers, netip.MustParseAddr(ip))
	}
}

var strangerMAC = net.HardwareAddr{2, 0, 0, 0, 0, 99}

// isAlone is when a master of front takes claims for those of strangers.
const isAlone = 10*time.Second + settling

// TestStranger reports who claims the master's address for longer than a moment,
// until a minute after the last time. Its peer and itself are no strangers.
func TestStranger(t *testing.T) {
	claims := func(lan *lan, ip string, mac net.HardwareAddr, n int) {
		for range n {
			lan.claim(ip, mac)
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
	}
	duo(t, func(t *testing.T, a, b *router) {
		lan := a.host.lan
		time.Sleep(isAlone)
		claims(lan, "10.0.0.100", net.HardwareAddr{2, 0, 0, 0, 0, 0}, 4) // a's own
		claims(lan, "10.0.0.100", strangerMAC, 1)
		time.Sleep(10 * time.Second)
		if s := a.status("front").Stranger; s.Now || s.MAC != strangerMAC.String() {
			t.Errorf("after a moment: %+v", s)
		}
		began := time.Now()
		claims(lan, "10.0.0.100", strangerMAC, 4)
		time.Sleep(statusEvery)
		synctest.Wait()
		s := a.status("front").Stranger
		if !s.Now || s.Addr != netip.MustParseAddr("10.0.0.100") || s.MAC != strangerMAC.String() || s.Since.After(began) {
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

// TestStrangerThatAnswers is found by asking, and is one until he answers no more.
func TestStrangerThatAnswers(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		lan := a.host.lan
		lan.stranger("10.0.0.100", strangerMAC)
		time.Sleep(isAlone + askAgain + 2*time.Second)
		synctest.Wait()
		if s := a.status("front").Stranger; !s.Now || s.MAC != strangerMAC.String() {
			t.Errorf("while he answers: %+v", s)
		}
		time.Sleep(3 * time.Minute) // he stays one
		synctest.Wait()
		if s := a.status("front").Stranger; !s.Now {
			t.Errorf("while he still answers: %+v", s)
		}
		lan.stranger("10.0.0.100", nil)
		time.Sleep(strangerMemory + 2*statusEvery)
		synctest.Wait()
		if s := a.status("front").Stranger; s.Now {
			t.Errorf("a minute after he has gone: %+v", s)
		}
		// Whoever takes over again asks soon again.
		lan.stranger("10.0.0.100", strangerMAC)
		a.Order(Command{Failover: []string{"front"}})
		time.Sleep(orderedStay + isAlone + askAgain + 3*time.Second)
		synctest.Wait()
		if s := a.status("front"); s.State != Master || !s.Stranger.Now {
			t.Errorf("after the next takeover: %v, %+v", s.State, s.Stranger)
		}
		for _, q := range lan.questions {
			if q.by != a.host.id || q.ip != netip.MustParseAddr("10.0.0.100") || q.from != netip.MustParseAddr("10.0.0.1") {
				t.Fatalf("asked %+v, want the master alone to ask, for its address", q)
			}
		}
	})
}

// TestStrangerIsNoSuccessor: an address that was claimed before this router
// became master, or as it ceased to be, is claimed by nobody else.
func TestStrangerIsNoSuccessor(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		time.Sleep(isAlone)
		a.host.lan.claim("10.0.0.100", net.HardwareAddr{2, 0, 0, 0, 0, 1})
		a.Order(Command{Failover: []string{"front"}})
		time.Sleep(time.Minute) // and comes back
		synctest.Wait()
		for _, r := range []*router{a, b} {
			if s := r.status("front"); s.Stranger.Now {
				t.Errorf("%s: %+v", s.State, s.Stranger)
			}
		}
	})
}

// TestStrangerIsNoFormerMaster: one that was killed answers for the address until
// its lease ends, and one that goes on for ever is a stranger.
func TestStrangerIsNoFormerMaster(t *testing.T) {
	for name, stays := range map[string]bool{"the lease ends": false, "there is no lease": true} {
		t.Run(name, func(t *testing.T) {
			duo(t, func(t *testing.T, a, b *router) {
				a.end()
				for range 9 {
					time.Sleep(time.Second)
					a.host.lan.claim("10.0.0.100", a.host.links["eth0"].mac) // its kernel speaks, too
				}
				if !stays {
					if err := a.host.release(a.host.links["eth0"], netip.MustParsePrefix(vip)); err != nil {
						t.Fatal(err)
					}
				}
				told := false
				for range 90 {
					time.Sleep(time.Second)
					synctest.Wait()
					told = told || b.status("front").Stranger.Now
				}
				if told != stays {
					t.Errorf("told of a stranger: %v, want %v", told, stays)
				}
			})
		})
	}
}
