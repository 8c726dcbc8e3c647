package worker

import (
	"reflect"
	"sync"
	"time"

	"github.com/lvs-director/director/vrrp"
)

// failoverLife is how long a failover that was asked for may wait for a
// connection: one that comes much later would surprise.
const failoverLife = 3 * time.Second

// mailbox is what the engine has said: the orders as a level, the rest once
// each. Putting never blocks.
type mailbox struct {
	wake chan struct{} // one element: something was put

	mu        sync.Mutex
	orders    *vrrp.Orders // the latest
	at        time.Time    // when they were given
	beat      bool         // they were given since the last take
	failovers []failover
	stop      bool
}

// failover is a request to hand groups over, and until when it is of any use.
type failover struct {
	groups []string
	until  time.Time
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

func (m *mailbox) put(c vrrp.Command) {
	m.mu.Lock()
	switch {
	case c.Stop:
		m.stop = true
	case c.Orders != nil:
		m.orders, m.at, m.beat = c.Orders, time.Now(), true
	case c.Failover != nil:
		m.failovers = append(m.failovers, failover{c.Failover, time.Now().Add(failoverLife)})
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// level is what holds until the engine says otherwise.
type level struct {
	orders *vrrp.Orders
	at     time.Time
	stop   bool
}

// idle reports whether no worker is wanted.
func (l level) idle() bool { return l.stop || l.orders == nil || l.orders.Config.Empty() }

func (m *mailbox) level() level {
	m.mu.Lock()
	defer m.mu.Unlock()
	return level{m.orders, m.at, m.stop}
}

// take returns the level and, once, what was said beside it.
func (m *mailbox) take() (l level, beat bool, failovers []failover) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, beat, failovers = level{m.orders, m.at, m.stop}, m.beat, m.failovers
	m.beat, m.failovers = false, nil
	return l, beat, failovers
}

// dispatch is what of the engine's words has not been written to one worker.
type dispatch struct {
	orders    *vrrp.Orders // to be written
	failovers []failover
	stop      bool
	ack       uint64

	sent    *vrrp.Orders // what this worker was told last
	stopped bool         // this worker was told to stop
	acked   uint64
}

// collect takes over what is in the mailbox.
func (d *dispatch) collect(m *mailbox) {
	l, beat, failovers := m.take()
	if beat {
		d.orders = l.orders
	}
	d.failovers = append(d.failovers, failovers...)
	// Without groups and static fixtures there is nothing that a worker is needed for, and taking
	// its last group from it is the same as an ordered stop.
	d.stop = l.stop || l.orders != nil && l.orders.Config.Empty()
}

// next returns what is to be written next, nil when nothing is, and what to do
// once it was written.
func (d *dispatch) next() (f *frame, written func()) {
	now := time.Now()
	for len(d.failovers) > 0 && !now.Before(d.failovers[0].until) {
		d.failovers = d.failovers[1:]
	}
	switch {
	case d.stopped:
		// Nothing after the last word but what it reports on its way out.
	case d.stop:
		return &frame{Command: &vrrp.Command{Stop: true}}, func() { d.stopped = true }
	case d.orders != nil:
		orders := d.orders
		f := &frame{Command: &vrrp.Command{Orders: orders}}
		if d.sent != nil && (orders == d.sent || reflect.DeepEqual(orders, d.sent)) {
			f = &frame{Again: true}
		}
		return f, func() { d.sent, d.orders = orders, nil }
	case d.sent != nil && len(d.failovers) > 0:
		return &frame{Command: &vrrp.Command{Failover: d.failovers[0].groups}}, func() { d.failovers = d.failovers[1:] }
	}
	if d.ack > d.acked {
		ack := d.ack
		return &frame{Ack: ack}, func() { d.acked = ack }
	}
	return nil, nil
}
