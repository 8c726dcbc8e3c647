package vrrp

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// slowKernel takes its time for everything and notes leases that have ended
// before they were renewed. Only the keeper's goroutine uses it.
type slowKernel struct {
	kernel
	ends      map[netip.Prefix]time.Time
	ended     int
	announced int
}

const slowness = 2500 * time.Microsecond

func (s *slowKernel) hold(_ link, p netip.Prefix, o holdOptions) error {
	time.Sleep(slowness)
	if end, ok := s.ends[p]; ok && time.Now().After(end) {
		s.ended++
	}
	s.ends[p] = time.Now().Add(o.lease)
	return nil
}

func (s *slowKernel) announce(link, netip.Addr) error {
	time.Sleep(slowness)
	s.announced++
	return nil
}

// TestKeeperOfMany takes a thousand addresses over on a machine that is slow: to
// announce them again and again takes longer than a lease, and no lease ends.
func TestKeeperOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &slowKernel{ends: make(map[netip.Prefix]time.Time)}
		k := newKeeper(nopLog(), kernel)
		w := wish{member: newMember(front(100)), link: link{index: 2, name: "eth0"}, lease: 10 * time.Second, intent: keep, announce: 1}
		for x := range 1000 {
			w.addresses = append(w.addresses, netip.MustParsePrefix(fmt.Sprintf("10.4.%d.%d/32", x/250, x%250+1)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.run(ctx) }()
		k.wishes <- []wish{w}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(kernel.ends) != 1000 || kernel.ended != 0 {
			t.Errorf("%d addresses, %d leases ended, want 1000 and none", len(kernel.ends), kernel.ended)
		}
		if kernel.announced < 3000 {
			t.Errorf("announced %d times, want each address more than once", kernel.announced)
		}
	})
}
