//go:build integration

package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// TestReceivedInTime sends packets to the router itself, and wants to be told when
// each of them came.
func TestReceivedInTime(t *testing.T) {
	lo := setUp(t, emptyNamespace(t), "lo")
	d, err := newKernelDesk()
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, self := range []netip.Addr{ip("127.0.0.1"), netip.IPv6Loopback()} {
		p, err := d.open(lo, self.Is6())
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		for _, said := range []string{"one", "two"} {
			before := time.Now()
			if err := p.send([]byte(said), envelope{src: self, dst: self, ttl: 255}); err != nil {
				t.Fatal(err)
			}
			var f frame
			d.wait(time.Now().Add(time.Minute), false)
			if came, err := p.receive(&f); err != nil || !came {
				t.Fatalf("received: %t, %v", came, err)
			}
			if got := string(f.buf[:f.n]); got != said || f.src != self || f.ttl != 255 {
				t.Errorf("received %q from %v with a TTL of %d, want %q from %v with 255", got, f.src, f.ttl, said, self)
			}
			if f.at.Before(before) || f.at.After(time.Now()) {
				t.Errorf("%v: came %v after it was sent, and was read %v after that", self, f.at.Sub(before), time.Since(f.at))
			}
		}
	}
}
