package main

import (
	"fmt"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

const (
	virtuals     = 1000
	destinations = 10 * virtuals
)

// program measures a start with 1,000 × 10 and an empty kernel.
func (b *bench) program() error {
	for range b.trials {
		for _, p := range b.peers {
			if err := b.programOnce(p); err != nil {
				return fmt.Errorf("%s: %w", p.name(), err)
			}
		}
	}
	return nil
}

func (b *bench) programOnce(p peer) error {
	r, err := start(p, work{virtuals: virtuals}, destinations)
	if err != nil {
		return err
	}
	defer r.network.Close()
	process, events := r.process, r.events
	cpu, err := process.CPU()
	if err != nil {
		return err
	}
	memory, err := process.Memory()
	if err != nil {
		return err
	}
	first, last := events[0].Time, events[len(events)-1].Time
	b.table.add("program 1,000 × 10: first to last change", "ms", p.name(), milliseconds(last.Sub(first)))
	b.table.add("program 1,000 × 10: start to last change", "ms", p.name(), milliseconds(last.Sub(process.Started)))
	b.table.add("program 1,000 × 10: processor time", "ms", p.name(), milliseconds(cpu))
	b.table.add("program 1,000 × 10: peak memory, all processes", "KiB", p.name(), float64(memory.Peak))
	b.table.add("program 1,000 × 10: memory after, shared pages divided", "KiB", p.name(), float64(memory.Pss))
	return process.Kill()
}

// started is a peer whose work the kernel has.
type started struct {
	network *lab.Network
	process *lab.Process
	events  []lab.Traced // changes of the kernel's table
}

// start starts a peer on A of a new network and waits until the kernel has so
// many destinations. The network is the caller's to close.
func start(p peer, w work, destinations int) (started, error) {
	n, err := lab.New(lab.Options{})
	if err != nil {
		return started{}, err
	}
	r, err := startIn(n, p, w, destinations)
	if err != nil {
		n.Close()
	}
	return r, err
}

func startIn(n *lab.Network, p peer, w work, destinations int) (started, error) {
	trace, err := lab.NewTrace()
	if err != nil {
		return started{}, err
	}
	defer trace.Close()
	r, err := p.start(n, n.A, w)
	if err != nil {
		return started{}, err
	}
	if err := awaitTraced(trace, r.Process, "add_dest", destinations); err != nil {
		return started{}, err
	}
	events, err := trace.Events(r.Started)
	return started{n, r.Process, events}, err
}

// awaitTraced waits until the kernel has done something so often.
func awaitTraced(trace *lab.Trace, process *lab.Process, event string, want int) error {
	err := lab.Await(10*time.Minute, func() error {
		select {
		case <-process.Done():
			return fmt.Errorf("it has ended")
		default:
		}
		count, err := trace.Count()
		if err == nil && count[event] < want {
			err = fmt.Errorf("%s: %d of %d", event, count[event], want)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w; its log ends: %s", err, lastBytes(process.Log(), 1000))
	}
	return nil
}

func lastBytes(s string, n int) string { return s[max(0, len(s)-n):] }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
