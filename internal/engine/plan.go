package engine

import (
	"slices"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// maxWeight is the highest weight that a check may ask for; the configuration
// has the same limit.
const maxWeight = 65535

// realView is what plan needs to know of one real server.
type realView struct {
	state    checks.State
	kept     *uint32 // weight that it had before it was not known, in the kernel when we adopted it; counts while state is Unknown
	override Override
	asked    *uint32 // weight that its checks ask for, in place of the configured one
	ramp     int     // percent of the weight that a slow start allows so far; 100 is all
}

// weightOf decides the weight of a real server and whether it is in the table at
// all. Health decides first, then what an operator asked for.
func weightOf(vs *conf.VirtualServer, r *conf.RealServer, v realView) (weight uint32, in bool) {
	base := r.Destination.Weight
	if v.asked != nil {
		base = *v.asked
	}
	switch v.override.Mode {
	case OverrideDisable:
		return 0, vs.OnFailure == conf.Drain && mustStay(vs)
	case OverrideDrain:
		return 0, true
	case OverrideWeight:
		base = v.override.Weight
	case OverrideNone:
	}
	switch v.state {
	case checks.Up:
		return ramped(base, v.ramp), true
	case checks.Unknown:
		if v.kept != nil {
			weight := *v.kept
			if v.override.Mode == OverrideWeight && weight > 0 { // it takes connections
				weight = base
			}
			return ramped(weight, v.ramp), true
		}
		if vs.InitialUp {
			return base, true
		}
	case checks.Down:
	}
	return 0, vs.OnFailure == conf.Drain
}

// askedWeight returns the weight that a server's checks ask for: the lowest, or
// nil when none does.
func askedWeight(cs []conf.Check, health func(checks.Key) checks.Result) *uint32 {
	var lowest *uint32
	for _, c := range cs {
		w := health(c.Key).Seen.Weight
		if w == nil {
			continue
		}
		weight := uint32(min(max(*w, 0), maxWeight))
		if lowest == nil || weight < *lowest {
			lowest = &weight
		}
	}
	return lowest
}

// ramped returns the part of a weight that a slow start allows: at least 1,
// since a server that gets nothing does not warm up.
func ramped(weight uint32, percent int) uint32 {
	if weight == 0 || percent >= 100 {
		return weight
	}
	return max(1, uint32(uint64(weight)*uint64(percent)/100))
}

// rampPercent returns how much of its weight a server that recovered some time
// ago may have.
func rampPercent(ago, slowStart time.Duration) int {
	if ago >= slowStart {
		return 100
	}
	return int(100 * ago / slowStart)
}

// isPanic decides whether so few real servers pass their checks that these, or
// what lies between, are more likely at fault than the servers.
func isPanic(passing, all, threshold int) bool {
	return threshold > 0 && passing*100 < threshold*all
}

// mustStay tells whether a destination may never leave the table while it is
// configured: with the mh scheduler a removal reshuffles the lookup table.
func mustStay(vs *conf.VirtualServer) bool {
	return len(vs.Services) > 0 && vs.Services[0].Scheduler == "mh"
}

// weightUp returns the weight that counts for the quorum: that of the real
// servers which take new connections. A slow start counts in full: else a pool
// that recovers would be without quorum until it has warmed up.
func weightUp(vs *conf.VirtualServer, views []realView) int {
	sum := 0
	for i := range vs.Reals {
		v := views[i]
		v.ramp = 100
		weight, _ := weightOf(vs, &vs.Reals[i], v)
		sum += int(weight)
	}
	return sum
}

// hasQuorum decides whether a virtual server has its quorum, given whether it
// had it before: it is won at quorum + hysteresis and lost below quorum −
// hysteresis or when nothing is left, as in keepalived.
func hasQuorum(had bool, weight, quorum, hysteresis int) bool {
	if had {
		return weight > 0 && weight >= quorum-hysteresis
	}
	return weight > 0 && weight >= quorum+hysteresis
}

// plan decides the rows of one virtual server: its services with the
// destinations that health and operator want. With sorry the sorry server takes
// the place of all others. Destinations in leaving are not wanted any more but
// still have connections: they stay with weight 0.
func plan(vs *conf.VirtualServer, views []realView, sorry bool, leaving []ipvsctl.Destination) []ipvsctl.Service {
	dests := make([]ipvsctl.Destination, 0, len(vs.Reals)+len(leaving)+1)
	for i := range vs.Reals {
		weight, in := weightOf(vs, &vs.Reals[i], views[i])
		if sorry {
			weight, in = 0, in && vs.OnFailure == conf.Drain
		}
		if in {
			d := vs.Reals[i].Destination
			d.Weight = weight
			dests = append(dests, d)
		}
	}
	for _, d := range leaving {
		d.Weight = 0
		dests = append(dests, d)
	}
	if sorry {
		dests = append(dests, vs.Sorry.Destination)
	}
	slices.SortFunc(dests, func(a, b ipvsctl.Destination) int { return a.Addr.Compare(b.Addr) })
	services := make([]ipvsctl.Service, len(vs.Services))
	for i, s := range vs.Services {
		s.Destinations = dests // shared: a desired table is never written
		services[i] = s
	}
	return services
}
