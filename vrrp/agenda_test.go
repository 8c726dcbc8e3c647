package vrrp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowKernel takes its time for everything and notes leases that have ended
// before they were renewed.
type slowKernel struct {
	mu        sync.Mutex
	ends      map[netip.Prefix]time.Time
	ended     int
	announced int
	forgot    []int        // how often had been announced before
	calls     int          // of renew
	refused   netip.Prefix // not renewed
}

const slowness = 2500 * time.Microsecond

func (s *slowKernel) renew(list []holding) error {
	s.look(func() { s.calls++ })
	return each(list, s.hold)
}

func (s *slowKernel) hold(is holding) error {
	time.Sleep(slowness)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := is.prefix
	if p == s.refused {
		return errors.New("not this one")
	}
	if end, ok := s.ends[p]; ok && time.Now().After(end) {
		s.ended++
	}
	s.ends[p] = time.Now().Add(is.lease)
	return nil
}

// look does something with what the kernel has noted.
func (s *slowKernel) look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *slowKernel) release(_ link, p netip.Prefix) error {
	time.Sleep(slowness)
	s.look(func() { delete(s.ends, p) })
	return nil
}

func (s *slowKernel) prepare(link, netip.Addr) error { return nil }

func (s *slowKernel) announce(link, netip.Addr) error {
	time.Sleep(slowness)
	s.look(func() { s.announced++ })
	return nil
}

func (s *slowKernel) forget(link) error {
	s.look(func() { s.forgot = append(s.forgot, s.announced) })
	return nil
}

// keepMany has a keeper hold a thousand addresses, until end, on a link that has
// been up for so long.
func keepMany(t *testing.T, lease, up time.Duration) (k *keeper, kernel *slowKernel, w wish, end func()) {
	t.Helper()
	kernel = &slowKernel{ends: make(map[netip.Prefix]time.Time)}
	k = newKeeper(nopLog(), kernel)
	w = wish{member: newMember(front(100)), link: link{index: 2, name: "eth0", upSince: time.Now().Add(-up)}, lease: lease, intent: keep, announce: 1}
	for x := range 1000 {
		w.addresses = append(w.addresses, netip.MustParsePrefix(fmt.Sprintf("10.4.%d.%d/32", x/250, x%250+1)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.run(ctx) }()
	k.wishes <- []wish{w}
	return k, kernel, w, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestKeeperOfMany takes a thousand addresses over on a machine that is slow: to
// announce them again and again takes longer than a lease, and no lease ends.
// Neighbours are forgotten where the link has just come up, and not elsewhere.
func TestKeeperOfMany(t *testing.T) {
	for _, up := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) { keeperOfMany(t, up) })
	}
}

func keeperOfMany(t *testing.T, up time.Duration) {
	_, kernel, _, end := keepMany(t, 10*time.Second, up)
	time.Sleep(time.Minute)
	end()
	if len(kernel.ends) != 1000 || kernel.ended != 0 {
		t.Errorf("%d addresses, %d leases ended, want 1000 and none", len(kernel.ends), kernel.ended)
	}
	if kernel.announced < 3000 {
		t.Errorf("announced %d times, want each address more than once", kernel.announced)
	}
	if n := len(kernel.forgot); up == 0 && (n == 0 || n > 100 || kernel.forgot[0] == 0) || up > 0 && n > 0 {
		t.Errorf("up for %v: silent neighbours were forgotten after %v announcements", up, kernel.forgot)
	}
}

// TestRenewals has a thousand leases that began at different times renewed
// together, and those one by one among which one is refused.
func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, kernel, w, end := keepMany(t, time.Minute, 0)
		time.Sleep(2 * time.Minute) // the takeover is over
		calls := 0
		kernel.look(func() { calls = kernel.calls })
		time.Sleep(2 * time.Minute)
		kernel.look(func() {
			// Each is due every 15 to 20 seconds.
			if n := kernel.calls - calls; n < 6*1000/renewSize || n > 9*(1000/renewSize+2) {
				t.Errorf("a thousand leases were renewed by %d calls in two minutes", n)
			}
			kernel.refused = w.addresses[500]
		})
		for range 4 {
			time.Sleep(30 * time.Second)
			r := <-k.reports
			if r[w.member].problem != "add 10.4.2.1/32 to eth0: not this one" {
				t.Errorf("told: %q", r[w.member].problem)
			}
			k.reports <- r
		}
		kernel.look(func() {
			for p, end := range kernel.ends {
				if p != kernel.refused && !time.Now().Before(end) {
					t.Errorf("the lease of %s has ended", p)
				}
			}
			kernel.refused = netip.Prefix{}
		})
		time.Sleep(10 * time.Second)
		if r := <-k.reports; r[w.member].problem != "" {
			t.Errorf("afterwards: %q", r[w.member].problem)
		}
		kernel.look(func() {
			if kernel.ended != 1 {
				t.Errorf("%d leases ended, want the refused one", kernel.ended)
			}
		})
		end()
	})
}

// TestAgendaRests: to pass over the leases for which nothing is to be done makes no
// difference to what is due, and when the next thing will be.
func TestAgendaRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		k := newKeeper(nopLog(), &slowKernel{ends: make(map[netip.Prefix]time.Time)})
		k.asker = &stage{}
		wishes := make([]wish, 4)
		for i := range wishes {
			wishes[i] = wish{member: &member{}, link: link{index: 1 + i/2}, addresses: []netip.Prefix{prefix(fmt.Sprintf("10.4.0.%d/32", i))}}
			wishes[i].how = Announce{Refresh: time.Duration(i) * 10 * time.Second, Spacing: time.Duration(i%2) * 100 * time.Millisecond}
		}
		passed, done := 0, 0
		for turn := range 3000 {
			if rng.IntN(4) == 0 {
				w := &wishes[rng.IntN(len(wishes))]
				w.lease, w.intent = time.Duration(10+rng.IntN(2))*time.Second, intent(rng.IntN(3))
				w.announce += uint64(rng.IntN(2))
				w.dropAt = time.Now().Add(time.Second)
				w.suspect = suspicion{w.addresses[0].Addr(), time.Now()}
				k.adopt(slices.Clone(wishes), time.Now())
			}
			now := time.Now()
			for _, l := range k.leases {
				if l.rest.After(now) {
					passed++
				}
			}
			due, next := k.agenda(now)
			short := fmt.Sprintln(due, next)
			for _, l := range k.leases {
				l.rest = time.Time{}
			}
			due, next = k.agenda(now)
			if long := fmt.Sprintln(due, next); long != short {
				t.Fatalf("turn %d:\nall looked at:  %sothers passed: %s", turn, long, short)
			}
			done += len(due)
			k.batch(due)
			time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		}
		if passed < 1000 || done < 1000 {
			t.Errorf("%d leases passed over and %d jobs done in 3000 turns, want more of both", passed, done)
		}
	})
}

// TestBatch does so much before it is seen anew what is due that a look at all
// leases is seldom, and no more of what takes its time: a renewal of many is one call.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(nopLog(), &slowKernel{ends: make(map[netip.Prefix]time.Time)})
		now := time.Now()
		due := func(do chore, held bool) []job {
			var list []job
			for i := range 1000 {
				l := &lease{w: wish{member: &member{}, lease: time.Minute, intent: keep, owned: do == choreAdd}, prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 4, byte(i >> 8), byte(i)}), 32), held: held, dueAt: now}
				list = append(list, job{l, do, int(do) + 1, now})
			}
			return list
		}
		count := func(list []job) (done int) {
			k.batch(list)
			for _, j := range list {
				if j.l.held && j.l.dueAt.After(now) {
					done++
				}
			}
			return done
		}
		if n := count(due(choreRenew, true)); n != batchSize/renewalJobs*renewSize {
			t.Errorf("%d leases renewed at once, want %d", n, batchSize/renewalJobs*renewSize)
		}
		if n := count(due(choreAdd, false)); n != batchSize {
			t.Errorf("%d addresses put up at once, want %d", n, batchSize)
		}
	})
}
