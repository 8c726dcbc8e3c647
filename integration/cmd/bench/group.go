package main

import (
	"fmt"
	"strings"
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
	r, err := start(p, work{group: addresses}, p.groupDestinations(addresses))
	if err != nil {
		return err
	}
	defer r.network.Close()
	rules, err := r.network.A.Run("ipvsadm", "-Sn")
	if err != nil {
		return err
	}
	ruleset, err := r.network.A.Run("nft", "list", "ruleset")
	if err != nil {
		return err
	}
	objects := strings.Count(rules, "\n") + strings.Count(ruleset, " . tcp . 80 : ")
	b.table.add("group of 256 addresses × 20: start to last change", "ms", p.name(), milliseconds(r.events[len(r.events)-1].Time.Sub(r.process.Started)))
	b.table.add("group of 256 addresses × 20: services, destinations and marks in the kernel", "objects", p.name(), float64(objects))
	return r.process.Kill()
}
