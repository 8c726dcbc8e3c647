package engine

import (
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
