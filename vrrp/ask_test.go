package vrrp

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// notes are an asker that notes when it was to ask for what.
type notes []asking

func (n *notes) ask(_ link, from, ip netip.Addr) error {
	*n = append(*n, asking{from: from, ip: ip, at: time.Now()})
	return nil
}

// TestAskingOfMany asks for many addresses one after the other, each as often as
// any other, and sooner again for one that somebody claims.
func TestAskingOfMany(t *testing.T) {
	const many, rounds = 300, 3
	synctest.Test(t, func(t *testing.T) {
		var asked notes
		k := newKeeper(nopLog(), &slowKernel{})
		k.asker = &asked
		// The owner's leases are not renewed: what is left are questions.
		w := wish{member: newMember(front(255)), link: link{index: 2, name: "eth0"}, lease: time.Second, owned: true, intent: keep, how: Announce{Times: []time.Duration{}}}
		for x := range many {
			w.addresses = append(w.addresses, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 4, byte(x / 250), byte(x % 250)}), 32))
		}
		claimed := w.addresses[many-1].Addr()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.run(ctx) }()
		began := time.Now()
		for range rounds {
			w.suspect = suspicion{claimed, time.Now()}
			k.wishes <- []wish{w}
			time.Sleep(many * askShare)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		times := make(map[netip.Addr]int)
		for i, q := range asked {
			times[q.ip]++
			if i > 0 && q.at.Sub(asked[i-1].at) < askSpacing {
				t.Fatalf("%s after the question before", q.at.Sub(asked[i-1].at))
			}
			if q.ip != claimed && q.at.Sub(began) < w.lease+settling {
				t.Fatalf("asked after %s, while a former master may answer", q.at.Sub(began))
			}
		}
		// For a minute each time that it is claimed, every 5 s.
		if got := times[claimed]; got < rounds*10 || got > rounds*15 {
			t.Errorf("asked %d times for the address that is claimed", got)
		}
		delete(times, claimed)
		if len(times) != many-1 {
			t.Errorf("asked for %d addresses", len(times))
		}
		for ip, got := range times {
			if got < rounds-1 || got > rounds {
				t.Errorf("asked %d times for %s in %d rounds", got, ip, rounds)
			}
		}
	})
}
