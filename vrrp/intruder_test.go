package vrrp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestSplit proves a second master and forgets no one: whose, since when, and
// that it is over. An ordinary takeover is no proof.
func TestSplit(t *testing.T) {
	duo(t, func(t *testing.T, a, b *router) {
		a.Order(Command{Failover: []string{}})
		time.Sleep(orderedStay + 2*time.Second)
		synctest.Wait()
		if s := a.status("front"); s.State != Master || s.Split.Adverts > 0 {
			t.Errorf("%s, an ordinary takeover counts as a split: %+v", s.State, s.Split)
		}
		b.host.set(func(h *lanHost) { h.cut = true })
		time.Sleep(5 * time.Second)
		b.host.set(func(h *lanHost) { h.cut = false })
		healed := time.Now()
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		s := a.status("front").Split
		if !s.Now || s.Adverts == 0 || s.Addr != netip.MustParseAddr("10.0.0.2") || s.Priority != 100 || s.Since.Before(healed) {
			t.Errorf("split %+v", s)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := a.status("front").Split; s.Now || s.Adverts == 0 {
			t.Errorf("it is over: %+v", s)
		}
	})
}

// TestHostilePackets counts each kind of bad packet and is moved by none.
func TestHostilePackets(t *testing.T) {
	src := netip.MustParseAddr("10.0.0.66")
	good := advert{version: 3, id: 51, priority: 254, interval: 100 * time.Millisecond, addresses: addrs("10.0.0.100")}
	tests := []struct {
		reason string
		spoil  func(*advert, *frame)
	}{
		{"ttl", func(_ *advert, f *frame) { f.ttl = 254 }},
		{"checksum", func(_ *advert, f *frame) { f.buf[2] ^= 1 }},
		{"length", func(_ *advert, f *frame) { f.n = 10 }},
		{"version", func(a *advert, _ *frame) { a.version = 2; a.interval = time.Second }},
		{"type", func(_ *advert, f *frame) { f.buf[0] = 0x32 }},
		{"interval", func(a *advert, _ *frame) { a.interval = 0 }},
		{"own", func(_ *advert, f *frame) { f.src = netip.MustParseAddr("10.0.0.1") }},
	}
	duo(t, func(t *testing.T, a, b *router) {
		for _, test := range tests {
			for _, r := range []*router{a, b} {
				for range 1000 {
					spoiled := good
					f := frame{src: src, dst: group4, ttl: 255}
					test.spoil(&spoiled, &f)
					f = frame{src: src, dst: group4, ttl: 255}
					f.n = copy(f.buf[:], spoiled.appendTo(nil, src, group4))
					test.spoil(&spoiled, &f)
					r.host.set(func(h *lanHost) { h.deliver(false, f) })
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				want := uint64(1000)
				if r == b && test.reason == "own" {
					continue // a's address is only a's own
				}
				if got := r.status("front").Stats.Dropped[test.reason]; got != want {
					t.Errorf("%s: router %d counts %d of %d", test.reason, r.host.id, got, want)
				}
			}
		}
		want(t, a, "")
	})
}
