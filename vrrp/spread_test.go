package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// many are groups on one interface that become MASTER together.
func many(n int) []Group {
	groups := make([]Group, n)
	for i := range groups {
		groups[i] = front(100)
		groups[i].Name, groups[i].RouterID = fmt.Sprint(i), uint8(i+1)
	}
	return groups
}

// TestManySpeakApart has many routers become MASTER at the same moment, which they
// do at once. From then on only some of them speak together, each an interval after
// its last time, and the one time that they are put off they are by an eighth at most.
func TestManySpeakApart(t *testing.T) {
	for _, n := range []int{together, 250} {
		c := &stillLoop(t, many(n)...).core
		last := make(map[*member]time.Time)
		intervals := 0
		for start := c.next(); intervals < 6; {
			now := c.next()
			c.fire(now)
			spoke := 0
			for _, e := range c.take() {
				if e.kind != effSend {
					continue
				}
				spoke++
				gap := now.Sub(last[e.member])
				switch longest := e.member.p.interval * 9 / 8; {
				case last[e.member].IsZero() && !now.Equal(start):
					t.Fatalf("%d routers: one takes over %v after the first", n, now.Sub(start))
				case !last[e.member].IsZero() && (gap < e.member.p.interval || gap > longest):
					t.Fatalf("%d routers: %v from one advertisement to the next", n, gap)
				case intervals > 2 && gap != e.member.p.interval:
					t.Fatalf("%d routers: still put off, %v from one to the next", n, gap)
				}
				last[e.member] = now
			}
			if intervals > 2 && spoke > together {
				t.Fatalf("%d routers: %d speak at the same time", n, spoke)
			}
			intervals = int(now.Sub(start) / front(100).Interval)
		}
		if len(last) != n {
			t.Errorf("%d of %d routers have spoken", len(last), n)
		}
	}
}

// TestPutOffOnce has more routers than there is room for: each is put off by an
// eighth of its interval at most, and not again before it has spoken.
func TestPutOffOnce(t *testing.T) {
	m := newMember(front(100))
	m.p.interval = time.Second
	at := time.Now()
	for n := range 3 * together * farthest {
		m.due[mainTimer] = at
		if m.putOff(n, 0) {
			if late := m.due[mainTimer].Sub(at); late <= 0 || late > time.Second/8 {
				t.Fatalf("number %d is put off by %v", n, late)
			}
			if m.putOff(n, 0) {
				t.Fatalf("number %d is put off again", n)
			}
		} else if n/together%farthest > 0 {
			t.Fatalf("number %d is not put off", n)
		}
	}
}

// spoke is how many advertisements are to be sent.
func (c *core) spoke() int {
	n := 0
	for _, e := range c.take() {
		if e.kind == effSend {
			n++
		}
	}
	return n
}

// TestLateIsNotPutOff has advertisements that are late already leave at once, all of them.
func TestLateIsNotPutOff(t *testing.T) {
	const n = 100
	c := &stillLoop(t, many(n)...).core
	c.fire(c.next())
	c.take()
	c.fire(c.next().Add(front(100).Interval / 8))
	if spoke := c.spoke(); spoke != n {
		t.Errorf("%d of %d late advertisements left", spoke, n)
	}
}

// TestHeldUpIsNotPutOff has the process held up while many routers are due that
// speak apart by now: what it has to make up for leaves at once.
func TestHeldUpIsNotPutOff(t *testing.T) {
	const n = 250
	c := &stillLoop(t, many(n)...).core
	for end := c.next().Add(4 * front(100).Interval); c.next().Before(end); c.take() {
		c.fire(c.next())
	}
	now := c.next().Add(5 * front(100).Interval / steps)
	due := 0
	for _, m := range c.members {
		if !m.due[mainTimer].After(now) {
			due++
		}
	}
	if due < 3*together {
		t.Fatalf("%d are due, want several times %d", due, together)
	}
	c.fire(now)
	if spoke := c.spoke(); spoke != due {
		t.Errorf("%d of %d advertisements that were held up left", spoke, due)
	}
}

// TestSilenceCountsFromArrival has a backup hear an advertisement some time after it
// came: it waits for the next one as if it had been heard at once. What has come too
// long ago, since the process was stopped meanwhile, counts from when it is heard.
func TestSilenceCountsFromArrival(t *testing.T) {
	l := stillLoop(t, front(100))
	m := l.core.members[0]
	said := heard{priority: 150, interval: 100 * time.Millisecond, src: lowerIP}
	wait := m.p.masterDown(said.interval)
	now := time.Now()
	for ago, want := range map[time.Duration]time.Duration{
		0: wait, 5 * time.Millisecond: wait - 5*time.Millisecond, wait: wait, time.Hour: wait,
	} {
		l.core.receive(now, now.Add(-ago), m, said)
		if got := l.core.next().Sub(now); got != want {
			t.Errorf("came %v ago: the master is silent in %v, want %v", ago, got, want)
		}
	}
}

// TestSyncGroupSpeaksTogether has a sync group preempt. Its addresses are up one
// after the other, and so are the first advertisements; from the next on both are
// one, also after one of them has answered a master that leaves.
func TestSyncGroupSpeaksTogether(t *testing.T) {
	l := stillLoop(t, many(2)...)
	l.orders.Config.SyncGroups = []SyncGroup{{Name: "both", Groups: []string{"0", "1"}}}
	now := time.Now()
	l.apply(now)
	c := &l.core
	hear := func(m *member, priority uint8) {
		c.receive(now, now, m, heard{priority: priority, interval: m.p.interval, src: netip.MustParseAddr("10.0.0.9")})
	}
	together := func(when string) {
		t.Helper()
		first, second := c.members[0].due[mainTimer], c.members[1].due[mainTimer]
		if !first.Equal(second) || !first.After(now) {
			t.Errorf("%s: one speaks %v after the other, the first in %v", when, second.Sub(first), first.Sub(now))
		}
	}
	for _, m := range c.members {
		hear(m, 50)
	}
	for c.members[0].state == Backup {
		now = c.next()
		c.fire(now)
	}
	for _, m := range c.members {
		if !m.silent {
			t.Fatalf("%s is %s and speaks before its addresses are up", m.name, m.state)
		}
		now = now.Add(m.p.interval / 10)
		c.held(now, m)
	}
	together("addresses are up")
	now = now.Add(time.Millisecond)
	hear(c.members[1], 0)
	together("another master has left")
	now = c.next()
	c.fire(now)
	together("both have spoken")
}
