package engine

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

// always is a probe that always passes.
type always struct{ Addr netip.AddrPort }

func (p always) Kind() string                           { return "always" }
func (p always) Key() string                            { return p.Addr.String() }
func (p always) Run(context.Context) checks.Observation { return checks.Observation{OK: true} }

// many returns n virtual servers with m checked real servers each.
func many(n, m int) *conf.Config {
	c := &conf.Config{Node: "bench", IPVS: conf.IPVS{Resync: 5 * time.Second}}
	for i := range n {
		vs := pool(0, remove)
		vs.Name = netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i%250 + 1)}).String()
		vs.Services[0].ID.Addr = netip.AddrPortFrom(netip.MustParseAddr(vs.Name), 80)
		for j := range m {
			x := i*m + j
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 21, byte(x / 250), byte(x%250 + 1)}), 80)
			monitor := checks.Monitor{Probe: always{addr}, Interval: 20 * time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
			vs.Reals = append(vs.Reals, conf.RealServer{Destination: ipvsctl.Destination{Addr: addr, Forward: ipvsctl.NAT, Weight: 1},
				Checks: []conf.Check{{Name: "always", Monitor: monitor, Key: monitor.Key()}}})
		}
		c.VirtualServers = append(c.VirtualServers, vs)
	}
	return c
}

func benchEngine(b *testing.B) (*Engine, *conf.Config) {
	config := many(1000, 10)
	config.StateDir = b.TempDir()
	kernel := ipvstest.New()
	e := New(Options{Log: zap.NewNop(), Config: config, Pool: checks.NewPool(),
		Open: func() (ipvsctl.Kernel, error) { return kernel, nil }})
	e.table.open = e.opts.Open
	e.table.own = loadOwned(config.StateDir, zap.NewNop())
	e.install(config)
	e.settle()
	return e, config
}

// BenchmarkInstall is a reload of 1,000 virtual servers with 10 real servers
// each of which one has changed, without the reading of the files.
func BenchmarkInstall(b *testing.B) {
	e, config := benchEngine(b)
	for b.Loop() {
		next := *config
		changed := *config.VirtualServers[500]
		next.VirtualServers = append([]*conf.VirtualServer(nil), config.VirtualServers...)
		next.VirtualServers[500] = &changed
		e.install(&next)
		e.settle()
	}
}

// BenchmarkResult is one change of health among 10,000.
func BenchmarkResult(b *testing.B) {
	e, config := benchEngine(b)
	key := config.VirtualServers[500].Reals[5].Checks[0].Key
	to := checks.Up
	for b.Loop() {
		e.takeResult(checks.Result{Key: key, To: to})
		e.settle()
		to = checks.Up + checks.Down - to
	}
}
