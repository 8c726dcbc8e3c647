package vrrp

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// stillLoop is a loop that the test itself turns.
func stillLoop(tb testing.TB, groups ...Group) *loop {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	s := &stage{}
	l := newLoop(newLocal(zap.NewNop(), host{network: s}), stageDesk{s}, group, ctx)
	tb.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			tb.Error(err)
		}
	})
	now := time.Now()
	l.links = newLAN().add().links
	l.orders, l.ordered, l.lastState = orders(groups...), now, now.Add(time.Hour)
	l.apply(now)
	l.carryOut(now)
	return l
}

// received is a packet as a port hands it over.
func received(l *loop, src netip.Addr, a *advert) *frame {
	f := &l.frame
	f.src, f.dst, f.ttl = src, group4, 255
	f.n = len(a.appendTo(f.buf[:0], src, group4))
	return f
}

// TestHotPathDoesNotAllocate is about 10 ms and hundreds of groups: neither an
// advertisement sent nor one received leaves garbage.
func TestHotPathDoesNotAllocate(t *testing.T) {
	l := stillLoop(t, front(100))
	m := l.core.members[0]
	src := netip.MustParseAddr("10.0.0.9")
	master := advert{version: 3, id: 51, priority: 200, interval: 100 * time.Millisecond, addresses: addrs("10.0.0.100")}
	now := time.Now()
	hear := func() {
		now = now.Add(100 * time.Millisecond)
		l.receive(now, m.tap, received(l, src, &master))
		l.carryOut(now)
	}
	hear()
	if n := testing.AllocsPerRun(1000, hear); n > 0 {
		t.Errorf("an advertisement received allocates %g times", n)
	}
	if m.received < 1000 || m.state != Backup {
		t.Fatalf("%d received, %s", m.received, m.state)
	}
	now = now.Add(400 * time.Millisecond)
	l.core.fire(m.due[mainTimer])
	l.carryOut(now)
	speak := func() {
		l.core.fire(m.due[mainTimer])
		l.carryOut(now)
	}
	speak()
	sent := m.sent
	if n := testing.AllocsPerRun(1000, speak); n > 0 {
		t.Errorf("an advertisement sent allocates %g times", n)
	}
	if m.sent < sent+1000 || m.state != Master {
		t.Fatalf("%d sent, %s", m.sent-sent, m.state)
	}
}

func BenchmarkReceive(b *testing.B) {
	l := stillLoop(b, front(100))
	m := l.core.members[0]
	src := netip.MustParseAddr("10.0.0.9")
	master := advert{version: 3, id: 51, priority: 200, interval: 100 * time.Millisecond, addresses: addrs("10.0.0.100")}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.receive(now, m.tap, received(l, src, &master))
		l.carryOut(now)
	}
}

func BenchmarkSend(b *testing.B) {
	l := stillLoop(b, front(100))
	m := l.core.members[0]
	l.core.fire(m.due[mainTimer])
	b.ReportAllocs()
	for b.Loop() {
		at := m.due[mainTimer]
		l.core.fire(at)
		l.carryOut(at)
	}
}
