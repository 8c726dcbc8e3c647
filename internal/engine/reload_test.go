package engine

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

func TestReloadTouchesWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, other := w.checked(pool(3, remove)), w.checked(pool(2))
		other.Name = "other"
		other.Services[0].ID.Addr = netip.MustParseAddrPort("192.0.2.2:80")
		w.config.VirtualServers = []*conf.VirtualServer{first, other}
		w.servers.set("10.0.0.3", "gone")
		w.start()
		w.after(3 * time.Second)
		w.kernel.TakeOps()

		changed := w.checked(pool(3, remove))
		changed.Reals[1].Destination.Weight = 20
		w.reload(changed, other)
		ops := w.kernel.TakeOps()
		if len(ops) != 1 || ops[0].String() != "-e -t 192.0.2.1:80 -r 10.0.0.2:80 -m -w 20" {
			t.Errorf("operations %v, want only the changed weight", ops)
		}
		w.table("1=1 2=20") // the third is still known to be dead
		w.stop(errSignal)
	})
}

func TestRefusedReloadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(1))
		w.start()
		w.kernel.TakeOps()
		w.loadErr = errors.New("director.hcl:3: no such thing")
		if err := w.engine.Reload(t.Context()); !errors.Is(err, w.loadErr) {
			t.Errorf("Reload: %v, want the loader's error", err)
		}
		w.after(time.Second)
		if ops := w.kernel.TakeOps(); len(ops) != 0 {
			t.Errorf("operations %v, want none", ops)
		}
		if got := w.engine.Status().Config; got.LastError == "" || got.Reloads != 0 {
			t.Errorf("status %+v, want the error", got)
		}
		w.loadErr = nil
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		if got := w.engine.Status().Config; got.LastError != "" || got.Reloads != 1 {
			t.Errorf("status %+v, want no error and one reload", got)
		}
		w.stop(errSignal)
	})
}

// A server that serves goes on while a check that a reload gave it has no verdict yet.
func TestReloadWithANewCheckTakesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2, remove))}
		w.start()
		w.after(2 * time.Second)
		w.kernel.TakeOps()
		w.reload(w.more(w.checked(pool(2, remove))))
		if ops := w.kernel.TakeOps(); len(ops) != 0 {
			t.Errorf("operations %v before the new check has a verdict, want none", ops)
		}
		w.after(12 * time.Second)
		w.table("2=2") // it hung
		w.stop(errSignal)
	})
}

// more gives the first real server of a pool one more check, which hangs.
func (w *world) more(vs *conf.VirtualServer) *conf.VirtualServer {
	w.servers.set("other", hangs)
	m := checks.Monitor{Probe: probe{w.servers, "other"}, Interval: 5 * time.Second, Timeout: 5 * time.Second, Rise: 1, Fall: 1}
	vs.Reals[0].Checks = append(vs.Reals[0].Checks, conf.Check{Name: "other", Monitor: m, Key: m.Key()})
	return vs
}

// While it has no verdict a server keeps the weight that it had, whoever has asked
// for it, and an operator can still change that.
func TestReloadWithANewCheckKeepsTheWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2, remove))}
		w.servers.ask("10.0.0.1", 40)
		w.starts("1=40 2=2")
		w.reload(w.more(w.checked(pool(2, remove))))
		w.table("1=40 2=2")
		weigh := func(o Override, want string) {
			t.Helper()
			if _, err := w.engine.SetOverride(t.Context(), Target{VirtualServer: "web", Address: netip.MustParseAddr("10.0.0.1")}, o); err != nil {
				t.Fatal(err)
			}
			w.table(want)
		}
		weigh(Override{Mode: OverrideWeight, Weight: 7}, "1=7 2=2")
		weigh(Override{Mode: OverrideDrain}, "1=0 2=2")
		w.reload(w.checked(pool(2, remove)))
		w.reload(w.more(w.checked(pool(2, remove))))
		weigh(Override{}, "1=40 2=2") // drained when it got the check, and not any more
		w.servers.set("other", "")
		w.after(12 * time.Second)
		w.table("1=40 2=2")
		w.stop(errSignal)
	})
}

// A slow start goes on through the time without a verdict.
func TestReloadWithANewCheckKeepsTheSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := func(vs *conf.VirtualServer) { vs.SlowStart, vs.Reals[0].Destination.Weight = 100*time.Second, 100 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, slow))}
		w.starts("1=100")
		w.turns("10.0.0.1", "gone", "1=0")
		w.servers.set("10.0.0.1", "")
		w.after(20 * time.Second)
		last := uint32(0)
		grows := func(atMost uint32) {
			t.Helper()
			weight := w.kernel.Table().Services[pool(0).Services[0].ID].Destinations[0].Weight
			if weight < last || weight > atMost {
				t.Errorf("weight %d after %d, want at most %d", weight, last, atMost)
			}
			last = weight
		}
		grows(20)
		w.reload(w.more(w.checked(pool(1, slow))))
		w.servers.set("other", "")
		grows(21)
		w.after(3 * time.Second)
		grows(24)
		w.after(10 * time.Second)
		grows(34)
		w.after(90 * time.Second)
		w.table("1=100")
		w.stop(errSignal)
	})
}

// A reload that changes when a server is asked changes nothing of the weight that
// it has asked for: not when it fails since, nor on the way to another.
func TestReloadKeepsAskedWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		asking := func(fall int) *conf.VirtualServer {
			vs := w.checked(pool(2))
			for i := range vs.Reals {
				c := &vs.Reals[i].Checks[0]
				c.Monitor.Fall, c.Monitor.WeightStep = fall, 10
				c.Key = c.Monitor.Key()
			}
			return vs
		}
		w.config.VirtualServers = []*conf.VirtualServer{asking(100)}
		w.servers.ask("10.0.0.1", 40)
		w.servers.ask("10.0.0.2", 40)
		w.starts("1=40 2=40")
		w.servers.unask("10.0.0.1", "busy")
		w.servers.ask("10.0.0.2", 90)
		w.after(2 * time.Second)
		w.table("1=40 2=60")
		w.reload(asking(200))
		w.table("1=40 2=60")
		w.after(time.Second)
		w.table("1=40 2=70")
		w.stop(errSignal)
	})
}
