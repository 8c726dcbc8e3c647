package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/conf"
)

func TestRemovedServerKeepsItsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		w := newWorld(t, pool(2, slow))
		leaving := w.config.VirtualServers[0].Reals[1].Address()
		w.kernel.SetConnections(w.config.VirtualServers[0].Services[0].ID, leaving, 1)
		w.start()
		w.reload(pool(1, slow))
		w.table("1=1 2=0")
		w.after(59 * time.Second)
		w.table("1=1 2=0")
		w.after(2 * time.Second)
		w.table("1=1")
		w.stop(errSignal)
	})
}

func TestRemovedServerLeavesWithItsLastConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		w := newWorld(t, pool(2, slow))
		id, leaving := w.config.VirtualServers[0].Services[0].ID, w.config.VirtualServers[0].Reals[1].Address()
		w.kernel.SetConnections(id, leaving, 1)
		w.start()
		w.reload(pool(1, slow))
		w.after(10 * time.Second)
		w.table("1=1 2=0")
		w.kernel.SetConnections(id, leaving, 0)
		w.after(2 * time.Second)
		w.table("1=1")
		w.stop(errSignal)
	})
}

// All that leave one service are counted by one look at it, and so are all of which
// an operator asks.
func TestConnectionsAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		w := newWorld(t, pool(4, slow))
		for i, r := range w.config.VirtualServers[0].Reals {
			w.kernel.SetConnections(w.config.VirtualServers[0].Services[0].ID, r.Address(), i+1)
		}
		w.start()
		n, err := w.engine.Connections(t.Context(), Target{VirtualServer: "web"})
		if looks := w.kernel.Looks(); n != 1+2+3+4 || err != nil || looks != 1 {
			t.Errorf("%d connections, %v, by %d looks; want 10 by one", n, err, looks)
		}
		w.reload(pool(1, slow))
		w.after(10 * time.Second)
		w.table("1=1 2=0 3=0 4=0")
		if looks := w.kernel.Looks(); looks > 1+10 {
			t.Errorf("%d looks in ten seconds, want one a second", looks-1)
		}
		w.stop(errSignal)
	})
}

// A successor goes on with what is being drained.
func TestUpgradeKeepsTheConnectionsOfARemovedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		w := newWorld(t, pool(2, slow))
		id, leaving := w.config.VirtualServers[0].Services[0].ID, w.config.VirtualServers[0].Reals[1].Address()
		w.kernel.SetConnections(id, leaving, 1)
		w.start()
		w.reload(pool(1, slow))
		w.after(10 * time.Second)
		w.stop(ErrLeave)
		w.start()
		w.after(10 * time.Second)
		w.table("1=1 2=0")
		w.kernel.SetConnections(id, leaving, 0)
		w.after(2 * time.Second)
		w.table("1=1")
		w.stop(errSignal)
	})
}

// What is left of an earlier run is planned into all services of its virtual server,
// and taken out of all.
func TestLeftoversLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		more := func(vs *conf.VirtualServer) {
			second := vs.Services[0]
			second.ID.Addr = netip.MustParseAddrPort("192.0.2.2:80")
			vs.Services = append(vs.Services, second)
		}
		w := newWorld(t, pool(2, slow))
		w.kernel.SetConnections(w.config.VirtualServers[0].Services[0].ID, w.config.VirtualServers[0].Reals[1].Address(), 1)
		w.start()
		w.stop(ErrLeave)
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{pool(1, slow, more)}
		w.config = &next
		w.start()
		w.after(10 * time.Second)
		w.table("1=1 2=0")
		w.after(time.Minute)
		for id, s := range w.kernel.Table().Services {
			if got := weights(s.Destinations); got != "1=1" {
				t.Errorf("%s holds %q, want 1=1", id, got)
			}
		}
		w.stop(errSignal)
	})
}
