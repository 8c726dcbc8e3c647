package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// patience is how late an answer may be and still count. It is less than what
// an outage could hide behind: a packet that waited for an address to be found.
const patience = 40 * time.Millisecond

// Probe asks an address at a fixed interval and notes who answered when.
type Probe struct {
	every time.Duration
	wire  wire
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex
	samples []sample // by sequence number
}

// sample is one question and its answer.
type sample struct {
	sent     time.Time
	answered time.Time // zero: not
	who      string
}

// wire carries questions by number.
type wire interface {
	send(seq uint32) error
	receive() (answer, error)
	Close() error
}

// answer is one to a question, and who gave it.
type answer struct {
	seq uint32
	who string
	at  time.Time // when it came, however late it was read
}

// Ping probes an address with ICMP echo every so often. Who answered is told by
// the TTL: "A", "B", or the number.
func (n *Namespace) Ping(addr netip.Addr, every time.Duration) (*Probe, error) {
	w := &pingWire{to: &net.IPAddr{IP: addr.AsSlice()}, id: uint16(time.Now().UnixNano())}
	err := n.Do(func() (err error) {
		if w.conn, err = net.ListenIP("ip4:icmp", nil); err != nil {
			return err
		}
		return stampArrivals(w.conn)
	})
	if err != nil {
		return nil, fmt.Errorf("ping %v from %s: %w", addr, n.Name, err)
	}
	return newProbe(w, every), nil
}

// Ask probes a UDP echo every so often. Who answered is told by the answer.
func (n *Namespace) Ask(server netip.AddrPort, every time.Duration) (*Probe, error) {
	w := &askWire{}
	err := n.Do(func() (err error) {
		if w.conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server)); err != nil {
			return err
		}
		return stampArrivals(w.conn)
	})
	if err != nil {
		return nil, fmt.Errorf("ask %v from %s: %w", server, n.Name, err)
	}
	return newProbe(w, every), nil
}

func newProbe(w wire, every time.Duration) *Probe {
	p := &Probe{every: every, wire: w, stop: make(chan struct{})}
	p.wg.Go(p.ask)
	p.wg.Go(p.listen)
	return p
}

func (p *Probe) ask() {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
		p.mu.Lock()
		seq := uint32(len(p.samples))
		p.samples = append(p.samples, sample{sent: time.Now()})
		p.mu.Unlock()
		p.wire.send(seq) // what could not be sent was not answered
	}
}

func (p *Probe) listen() {
	for {
		a, err := p.wire.receive()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an answer to somebody else, or an ICMP error
		}
		p.mu.Lock()
		if int(a.seq) < len(p.samples) && p.samples[a.seq].answered.IsZero() {
			p.samples[a.seq].answered, p.samples[a.seq].who = a.at, a.who
		}
		p.mu.Unlock()
	}
}

// Stop ends the probe.
func (p *Probe) Stop() {
	select {
	case <-p.stop:
		return
	default:
	}
	close(p.stop)
	p.wire.Close()
	p.wg.Wait()
}

// Last returns who answered the last question that was answered in time, and
// when that was asked.
func (p *Probe) Last() (who string, asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.samples) - 1; i >= 0; i-- {
		if s := p.samples[i]; s.inTime() {
			return s.who, s.sent
		}
	}
	return "", time.Time{}
}

// Await waits until who answers a question asked after since, and returns how
// long after since it was asked.
func (p *Probe) Await(who string, since time.Time, limit time.Duration) (time.Duration, error) {
	var asked time.Time
	err := Await(limit, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := len(p.samples) - 1; i >= 0 && p.samples[i].sent.After(since); i-- {
			if s := p.samples[i]; s.inTime() && s.who == who {
				asked = s.sent
			}
		}
		if asked.IsZero() {
			return fmt.Errorf("%q has not answered", who)
		}
		return nil
	})
	return asked.Sub(since), err
}

// Outage returns the longest time after since in which nothing asked was
// answered in time, as whoever asks sees it: from the first question without an
// answer to the next with one, or to the last question.
func (p *Probe) Outage(since time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return longestOutage(p.samples, since)
}

func longestOutage(samples []sample, since time.Time) time.Duration {
	var longest time.Duration
	var from time.Time // of the outage that goes on; zero: none does
	for _, s := range samples {
		switch {
		case s.sent.Before(since):
		case s.inTime():
			if !from.IsZero() {
				longest = max(longest, s.sent.Sub(from))
			}
			from = time.Time{}
		case from.IsZero():
			from = s.sent
		}
	}
	// The last questions may just not have been answered yet.
	if last := len(samples) - 1; last >= 0 && !from.IsZero() && samples[last].sent.Sub(from) > patience {
		longest = max(longest, samples[last].sent.Sub(from))
	}
	return longest
}

// inTime says whether the answer counts.
func (s sample) inTime() bool {
	return !s.answered.IsZero() && s.answered.Sub(s.sent) <= patience
}
