package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

var sorryAddr = netip.MustParseAddrPort("10.0.0.99:80")

// sorryDrained gives a pool a sorry server that is drained for a minute.
func sorryDrained(vs *conf.VirtualServer) {
	sorry(vs)
	vs.SorryDrain = time.Minute
}

// sorryChecked gives the sorry server of a pool a scripted check.
func (w *world) sorryChecked(vs *conf.VirtualServer) *conf.VirtualServer {
	m := checks.Monitor{Probe: probe{w.servers, sorryAddr.Addr().String()}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
	vs.Sorry.Checks = []conf.Check{{Name: "page", Monitor: m, Key: m.Key()}}
	return vs
}

// connect gives the sorry server so many connections.
func (w *world) connect(n int) { w.kernel.SetConnections(pool(0).Services[0].ID, sorryAddr, n) }

// The sorry server must be in the table before the last real server leaves it,
// and leave only when they are back.
func TestSorryServerLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, sorry, remove))}
		w.starts("1=1")
		w.kernel.TakeOps()

		w.turns("10.0.0.1", "gone", "99=1")
		w.turns("10.0.0.1", "", "1=1")

		var got []string
		for _, op := range w.kernel.TakeOps() {
			got = append(got, op.String())
		}
		want := []string{
			"-a -t 192.0.2.1:80 -r 10.0.0.99:80 -m -w 1",
			"-d -t 192.0.2.1:80 -r 10.0.0.1:80",
			"-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1",
			"-d -t 192.0.2.1:80 -r 10.0.0.99:80",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("operations (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

func TestSorryServerIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, sorryDrained, remove))}
		w.servers.set("10.0.0.1", "gone")
		w.starts("99=1")
		w.connect(2)
		w.turns("10.0.0.1", "", "1=1 99=0")
		if got := w.engine.Status().VirtualServers[0]; got.SorryInUse || !got.Sorry.InTable || got.Sorry.Weight != 0 || got.Sorry.Configured != 1 {
			t.Errorf("status %+v, %+v while it is drained", got, got.Sorry)
		}

		// It is needed again before they have ended.
		w.turns("10.0.0.1", "gone", "99=1")
		w.servers.set("10.0.0.1", "")
		w.after(30 * time.Second)
		w.table("1=1 99=0")

		// A successor of the daemon goes on with it.
		w.stop(ErrLeave)
		w.start()
		w.after(5 * time.Second)
		w.table("1=1 99=0")
		w.connect(0)
		w.after(2 * time.Second)
		w.table("1=1")
		w.told("drain>", "10.0.0.99:80 drain>removed its connections have ended")
		w.stop(errSignal)
	})
}

func TestSorryServerHasSoMuchTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, sorryDrained))}
		w.servers.set("10.0.0.1", "gone")
		w.starts("1=0 99=1")
		w.connect(2)
		w.servers.set("10.0.0.1", "")
		w.after(55 * time.Second)
		w.table("1=1 99=0")
		w.after(10 * time.Second)
		w.table("1=1")

		// One that a reload takes out while it serves has its time, too.
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		w.connect(2)
		w.reload(w.checked(pool(1)))
		w.after(50 * time.Second)
		w.table("1=0 99=0")
		w.after(20 * time.Second)
		w.table("1=0")
		w.stop(errSignal)
	})
}

// A sorry server that is down takes nobody: those that are up serve, although
// they are too few.
func TestSorryServerIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		two := func(vs *conf.VirtualServer) { vs.Quorum = 3 }
		w.config.VirtualServers = []*conf.VirtualServer{w.sorryChecked(w.checked(pool(2, sorryDrained, two)))}
		w.starts("1=1 2=2")
		w.turns("10.0.0.1", "gone", "1=0 2=0 99=1")
		w.connect(1)

		w.turns("10.0.0.99", "http status 503", "1=0 2=2 99=0")
		got := w.engine.Status().VirtualServers[0]
		if got.SorryInUse || got.State != "down" || got.Reals[1].Weight != 2 || got.Sorry.State != "down" || got.Sorry.Checks[0].Reason != "http status 503" {
			t.Errorf("status %+v, %+v while all is lost", got, got.Sorry)
		}

		w.turns("10.0.0.99", "", "1=0 2=0 99=1")
		w.told("",
			"10.0.0.99:80 unknown>up",
			"10.0.0.99:80 drain>removed its connections have ended", // it answers until the pool is known
			"10.0.0.99:80 up>down http status 503", "10.0.0.99:80 down>up",
		)
		w.stop(errSignal)
	})
}
