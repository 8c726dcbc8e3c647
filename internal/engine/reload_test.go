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
		changed := w.checked(pool(2, remove))
		w.servers.set("other", hangs)
		m := checks.Monitor{Probe: probe{w.servers, "other"}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
		changed.Reals[0].Checks = append(changed.Reals[0].Checks, conf.Check{Name: "other", Monitor: m, Key: m.Key()})
		w.kernel.TakeOps()
		w.reload(changed)
		if ops := w.kernel.TakeOps(); len(ops) != 0 {
			t.Errorf("operations %v before the new check has a verdict, want none", ops)
		}
		w.after(2 * time.Second)
		w.table("2=2") // it hung
		w.stop(errSignal)
	})
}
