package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/lvs-director/director/vrrp"
)

// Failover hands the groups over gracefully to their backups; none named is all.
func (e *Engine) Failover(ctx context.Context, groups []string) error {
	return e.ask(ctx, func() error {
		for _, name := range groups {
			if !slices.ContainsFunc(e.roles.config.Groups, func(g vrrp.Group) bool { return g.Name == name }) {
				return fmt.Errorf("no VRRP group %q; there are: %s", name, e.groupNames())
			}
		}
		if !e.roles.started {
			return fmt.Errorf("no VRRP group is configured")
		}
		if groups == nil {
			groups = []string{}
		}
		e.event(Event{Kind: KindOperator, Group: strings.Join(groups, ","), To: "failover", Operator: OperatorOf(ctx)})
		e.roles.router.Order(vrrp.Command{Failover: groups})
		return nil
	})
}

func (e *Engine) groupNames() string {
	var names []string
	for _, g := range e.roles.config.Groups {
		names = append(names, g.Name)
	}
	return strings.Join(names, ", ")
}

// SetOverride puts an operator's wish on every real server that the target
// names, or takes it back (OverrideNone). It is written to disk before it takes
// effect, and outlives reloads and restarts. It returns how many it changed.
func (e *Engine) SetOverride(ctx context.Context, target Target, o Override) (changed int, err error) {
	err = e.ask(ctx, func() error {
		found := e.targeted(target)
		if len(found) == 0 {
			return fmt.Errorf("no real server %s is configured", target)
		}
		wanted := e.over.clone()
		for _, u := range found {
			wanted.set(u.service.vs.Name, u.service.vs.Reals[u.real].Address().String(), o)
		}
		if err := e.saveOverrides(wanted); err != nil {
			return err
		}
		for _, u := range found {
			r := &u.service.reals[u.real]
			if r.override == o {
				continue
			}
			e.event(Event{Kind: KindOperator, VirtualServer: u.service.vs.Name, RealServer: u.service.vs.Reals[u.real].Address().String(),
				From: r.override.wish(), To: o.wish(), Reason: o.Reason, Operator: OperatorOf(ctx)})
			r.override = o
			changed++
			e.invalidate(u.service)
		}
		return nil
	})
	return changed, err
}

// Connections counts the connections, active and inactive, of every real server
// that the target names, as the kernel tells it.
func (e *Engine) Connections(ctx context.Context, target Target) (sum int, err error) {
	err = e.ask(ctx, func() error {
		found := e.targeted(target)
		if len(found) == 0 {
			return fmt.Errorf("no real server %s is configured", target)
		}
		counts := make(map[*service]map[netip.AddrPort]int)
		for _, u := range found {
			if _, counted := counts[u.service]; !counted {
				of, known := e.connections(u.service)
				if !known {
					return errors.New("the kernel does not tell how many connections there are")
				}
				counts[u.service] = of
			}
			sum += counts[u.service][u.service.vs.Reals[u.real].Address()]
		}
		return nil
	})
	return sum, err
}

// targeted returns the real servers that a target names.
func (e *Engine) targeted(target Target) []user {
	var found []user
	for _, s := range e.services {
		for i := range s.vs.Reals {
			if target.Matches(s.vs.Name, s.vs.Reals[i].Address()) {
				found = append(found, user{s, i})
			}
		}
	}
	return found
}
