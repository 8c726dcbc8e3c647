package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	//lint:ignore SA1019 Frozen, but known: Run works around what it gets wrong.
	"github.com/go-ping/ping"
)

// ICMP is up when the target answers echo requests.
//
// Sockets are the unprivileged ones of the kernel where
// net.ipv4.ping_group_range has our group (it governs IPv6 too), raw ones
// otherwise. A raw socket hears all the ICMP of the machine, so of these only
// few may be open at a time.
type ICMP struct {
	Target  netip.Addr
	Source  netip.Addr // zero: the kernel chooses
	Count   int        // echo requests in one probe; 0 is 1
	MaxLoss int        // percentage of them that may go unanswered
}

// Kind returns "icmp".
func (ICMP) Kind() string { return "icmp" }

// Key implements Probe.
func (p ICMP) Key() string { return digest(p.Kind(), p) }

// limit bounds the open sockets: each costs three goroutines in go-ping, and
// each raw one is woken by the packets of all.
func (p ICMP) limit() int {
	const unprivileged, raw = 512, 32
	if mayPing() {
		return unprivileged
	}
	return raw
}

// mayPing reports whether the kernel gives this process unprivileged ICMP
// sockets in its network namespace.
func mayPing() bool {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range")
	if err != nil {
		return false
	}
	groups, _ := os.Getgroups()
	return pingGroup(string(data), append(groups, os.Getegid()))
}

// pingGroup reports whether one of groups is in a ping_group_range.
func pingGroup(sysctl string, groups []int) bool {
	var low, high int
	if _, err := fmt.Sscan(strings.TrimSpace(sysctl), &low, &high); err != nil {
		return false
	}
	return slices.ContainsFunc(groups, func(g int) bool { return low <= g && g <= high })
}

// icmpTimeout bounds a probe whose context has no deadline.
const icmpTimeout = 10 * time.Second

// Run implements Probe.
//
// A stopped go-ping sleeps for up to 103 ms more before it notices. In a Pool
// the verdict does not wait for that, but the end of Pool.Run does; elsewhere
// Run returns that much later.
func (p ICMP) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p ICMP) compile() runner {
	privileged := !mayPing()
	return func(ctx context.Context) Observation { return p.ping(ctx, privileged) }
}

func (p ICMP) ping(ctx context.Context, privileged bool) Observation {
	a := newAttempt(ctx)
	count := max(p.Count, 1)
	timeout := a.limit
	switch {
	case timeout == 0:
		timeout = icmpTimeout
	case timeout < 0:
		return a.failed("icmp", context.DeadlineExceeded)
	}
	// A Pinger that has run once answers a second Run with silence: one each.
	pinger := ping.New("")
	pinger.SetIPAddr(&net.IPAddr{IP: p.Target.Unmap().WithZone("").AsSlice(), Zone: p.Target.Zone()})
	pinger.SetPrivileged(privileged)
	pinger.SetLogger(ping.NoopLogger{})
	pinger.RecordRtts = false
	pinger.Count = count
	pinger.Interval = timeout / time.Duration(count+1)
	pinger.Timeout = timeout
	if p.Source.IsValid() {
		pinger.Source = p.Source.String()
	}
	// Our own count and clock: go-ping's round-trip times come from the wall
	// clock, and its statistics are locked while it sends.
	var answered atomic.Int32
	need := count - count*p.MaxLoss/100
	enough := make(chan time.Duration, 1)
	pinger.OnRecv = func(*ping.Packet) {
		if int(answered.Add(1)) == need {
			enough <- time.Since(a.begin)
		}
	}
	ended := make(chan error, 1)
	var own sync.WaitGroup
	rest, inPool := ctx.Value(leftovers{}).(*sync.WaitGroup)
	if !inPool {
		rest = &own
	}
	rest.Go(func() { ended <- pinger.Run() })
	defer own.Wait()
	defer pinger.Stop()

	for {
		select {
		case latency := <-enough:
			return Observation{OK: true, Latency: latency, Status: fmt.Sprintf("%d of %d", need, count)}
		case err := <-ended:
			if err != nil {
				return a.failed("icmp", opError(err))
			}
			// It ends by itself when all is answered or its time is over:
			// enough has the former, and the latter is the same as ours.
			ended = nil
			if len(enough) == 0 {
				return p.unanswered(a, count, int(answered.Load()))
			}
		case <-ctx.Done():
			if len(enough) == 0 {
				return p.unanswered(a, count, int(answered.Load()))
			}
		}
	}
}

// opError strips what net says around an error number.
func opError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func (p ICMP) unanswered(a attempt, count, answered int) Observation {
	seen := a.failed("icmp", context.DeadlineExceeded)
	seen.Status = fmt.Sprintf("%d of %d", answered, count)
	if answered > 0 {
		seen.Reason = fmt.Sprintf("icmp: %d of %d answered in %v", answered, count, a.limit)
	}
	return seen
}

// leftovers is the key under which a Pool's contexts carry the *sync.WaitGroup
// that Pool.Run waits for, for what cannot end as fast as the probe itself.
type leftovers struct{}
