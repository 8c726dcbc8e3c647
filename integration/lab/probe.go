package lab

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/lvs-director/director/internal/poller"
)

// patience is how late an answer may be and still count. It is less than what
// an outage could hide behind: a packet that waited for an address to be found.
const patience = 40 * time.Millisecond

// Probe asks an address at a fixed interval and notes who answered when. On a slow
// machine that is itself a load for those who are watched, so that it makes as few
// calls as it can, and reads the answers, which the kernel stamps, when it asks.
type Probe struct {
	every  time.Duration
	wire   *wire
	poller *poller.Poller // tells the time
	stop   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup

	mu      sync.Mutex
	samples []sample // by sequence number
}

// sample is one question and its answer.
type sample struct {
	sent     time.Time
	answered time.Time // zero: not
	who      string
}

// Ping probes an address with ICMP echo every so often. Who answered is told by
// the TTL: "A", "B", or the number.
func (n *Namespace) Ping(addr netip.Addr, every time.Duration) (*Probe, error) {
	p, err := n.probe(func() (*wire, error) { return pingWire(addr) }, every)
	if err != nil {
		return nil, fmt.Errorf("ping %v from %s: %w", addr, n.Name, err)
	}
	return p, nil
}

// Ask probes a UDP echo every so often. Who answered is told by the answer.
func (n *Namespace) Ask(server netip.AddrPort, every time.Duration) (*Probe, error) {
	p, err := n.probe(func() (*wire, error) { return askWire(server) }, every)
	if err != nil {
		return nil, fmt.Errorf("ask %v from %s: %w", server, n.Name, err)
	}
	return p, nil
}

func (n *Namespace) probe(dial func() (*wire, error), every time.Duration) (*Probe, error) {
	p := &Probe{every: every, stop: make(chan struct{})}
	err := n.Do(func() (err error) {
		p.wire, err = dial()
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.poller, err = poller.New(func(int, uint32) bool { return true }); err != nil {
		p.wire.close()
		return nil, err
	}
	p.wg.Go(p.run)
	return p, nil
}

func (p *Probe) run() {
	next := time.Now().Add(p.every)
	for {
		p.poller.Sleep(next)
		now := time.Now()
		select {
		case <-p.stop:
			return
		default:
		}
		p.gather()
		if now.Before(next) {
			continue
		}
		p.ask()
		if next = next.Add(p.every); next.Before(now) { // what was missed is not made up for
			next = now.Add(p.every)
		}
	}
}

func (p *Probe) ask() {
	p.mu.Lock()
	seq := uint32(len(p.samples))
	p.samples = append(p.samples, sample{sent: time.Now()})
	p.mu.Unlock()
	p.wire.send(seq)
}

func (p *Probe) gather() {
	for {
		a, ok := p.wire.receive()
		if !ok {
			return
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
	p.once.Do(func() {
		close(p.stop)
		p.poller.Wake()
		p.wg.Wait()
		p.poller.Close()
		p.wire.close()
	})
}

// Paused returns by how much a question was asked too late since then, at most:
// for so long who asks stood still, and cannot tell who would have answered.
func (p *Probe) Paused(since time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for i, s := range p.samples {
		if i > 0 && s.sent.After(since) {
			longest = max(longest, s.sent.Sub(p.samples[i-1].sent)-p.every)
		}
	}
	return longest
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
