package main

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// reload measures a changed weight among 1,000 × 10 real servers, each with a tcp
// check every 20 s: from the signal until the kernel has it.
func (b *bench) reload() error {
	for _, p := range b.peers {
		if err := b.reloadAll(p); err != nil {
			return fmt.Errorf("%s: %w", p.name(), err)
		}
	}
	return nil
}

func (b *bench) reloadAll(p peer) error {
	n, err := lab.New(lab.Options{Servers: 1})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := crowd(n); err != nil {
		return err
	}
	sink, err := lab.NewSink(n.Servers[0], 80)
	if err != nil {
		return err
	}
	defer sink.Close()
	trace, err := lab.NewTrace()
	if err != nil {
		return err
	}
	defer trace.Close()
	task := work{virtuals: virtuals, check: 20 * time.Second, odd: 4567, weight: 1}
	process, err := p.start(n, n.A, task)
	if err != nil {
		return err
	}
	if err := awaitTraced(trace, process.Process, "add_dest", destinations); err != nil {
		return err
	}
	memory, err := process.Memory()
	if err != nil {
		return err
	}
	b.table.add("10,000 tcp checks: peak memory, all processes", "KiB", p.name(), float64(memory.Peak))
	for trial := range b.trials {
		task.weight = trial + 2
		if err := process.configure(task); err != nil {
			return err
		}
		idle, err := cpuOver(process.Process, 2*time.Second)
		if err != nil {
			return err
		}
		if trace, err = lab.NewTrace(); err != nil {
			return err
		}
		before, err := process.CPU()
		if err != nil {
			return err
		}
		signalled := time.Now()
		if err := process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
		if err := awaitTraced(trace, process.Process, "edit_dest", 1); err != nil {
			return err
		}
		events, err := trace.Events(signalled)
		if err != nil {
			return err
		}
		after, err := process.CPU()
		if err != nil {
			return err
		}
		elapsed := time.Since(signalled)
		b.table.add("reload 1,000 × 10 with 10,000 tcp checks: until the kernel has it", "ms", p.name(), milliseconds(events[0].Time.Sub(signalled)))
		b.table.add("reload 1,000 × 10 with 10,000 tcp checks: processor time", "ms", p.name(),
			milliseconds(after-before)-idle*milliseconds(elapsed))
	}
	return process.Kill()
}

// crowd lets the one real server answer for all the addresses of the work.
func crowd(n *lab.Network) error {
	all := netip.MustParsePrefix("10.21.0.0/16")
	if err := n.Servers[0].LocalRoute(all); err != nil {
		return err
	}
	return n.A.Route(all, lab.ServerAddr(1))
}

// cpuOver returns the processors that a process uses when nothing happens.
func cpuOver(process *lab.Process, period time.Duration) (float64, error) {
	before, err := process.CPU()
	if err != nil {
		return 0, err
	}
	time.Sleep(period)
	after, err := process.CPU()
	return float64(after-before) / float64(period), err
}
