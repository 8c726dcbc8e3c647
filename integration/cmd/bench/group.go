package main

import (
	"fmt"
	"strings"

	"github.com/lvs-director/director/integration/lab"
)

// group measures one virtual server with 256 addresses and 20 real servers:
// keepalived makes a service of each address, the director marks packets.
func (b *bench) group() error {
	for range b.trials {
		for _, p := range b.peers {
			if err := b.groupOnce(p, 256); err != nil {
				return fmt.Errorf("%s: %w", p.name(), err)
			}
		}
	}
	return nil
}

func (b *bench) groupOnce(p peer, addresses int) error {
	n, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer n.Close()
	trace, err := lab.NewTrace()
	if err != nil {
		return err
	}
	defer trace.Close()
	process, _, err := p.start(n, n.A, work{group: addresses})
	if err != nil {
		return err
	}
	if err := awaitTraced(trace, process, "add_dest", p.groupDestinations(addresses)); err != nil {
		return err
	}
	events, err := trace.Events(process.Started)
	if err != nil {
		return err
	}
	rules, err := n.A.Run("ipvsadm", "-Sn")
	if err != nil {
		return err
	}
	ruleset, err := n.A.Run("nft", "list", "ruleset")
	if err != nil {
		return err
	}
	objects := strings.Count(rules, "\n") + strings.Count(ruleset, " . tcp . 80 : ")
	b.table.add("group of 256 addresses × 20: start to last change", "ms", p.name(), milliseconds(events[len(events)-1].Time.Sub(process.Started)))
	b.table.add("group of 256 addresses × 20: services, destinations and marks in the kernel", "", p.name(), float64(objects))
	return process.Kill()
}
