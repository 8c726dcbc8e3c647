package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/vrrp"
)

// A daemon that was killed finds its table in the kernel and disturbs nothing:
// servers keep their weight until their first verdict.
func TestRestartAdopts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2, remove))}
		w.starts("1=1 2=2")
		w.stop(ErrLeave)
		w.table("1=1 2=2")

		w.kernel.TakeOps()
		w.start()
		w.after(3 * time.Second)
		w.table("1=1 2=2")
		if ops := w.kernel.TakeOps(); len(ops) != 0 {
			t.Errorf("operations after the restart: %v, want none", ops)
		}
		w.stop(errSignal)
		w.table("no service")
	})
}

// What an earlier configuration put into the kernel is ours after a restart, too.
func TestRestartRemovesWhatIsNoLongerConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(3))
		w.start()
		w.stop(ErrLeave)
		w.config.VirtualServers = []*conf.VirtualServer{pool(1)}
		w.start()
		w.table("1=1")
		w.stop(errSignal)
	})
}

func TestOnStop(t *testing.T) {
	for _, tt := range []struct {
		onStop conf.OnStop
		want   string
	}{{conf.StopKeep, "1=1 2=2"}, {conf.StopDrain, "1=0 2=0"}, {conf.StopRemove, "no service"}} {
		t.Run(tt.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, pool(2))
				w.config.IPVS.OnStop = tt.onStop
				w.start()
				w.stop(errSignal)
				w.table(tt.want)
			})
		})
	}
}

// The end is told also where there was nothing in the kernel.
func TestEndIsToldWithoutATable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.stop(errSignal)
		if got := w.events(KindStart); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], ">stopped") {
			t.Errorf("events %q, want the last to tell that it has stopped", got)
		}
	})
}

// VRRP must have left before our table changes.
func TestStopIsOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(1))
		w.group()
		w.start()
		w.becomes(vrrp.Backup, vrrp.Master)
		w.router.onStop = func() {
			w.table("1=1")
			w.router.reports <- vrrp.Report{Connected: true, Transitions: []vrrp.Transition{{Group: "front", From: vrrp.Master, To: vrrp.Initialize, Reason: "stopped"}}}
		}
		w.stop(errSignal)
		w.table("no service")
		if got := w.daemons(); got != "" {
			t.Errorf("sync daemon after the stop: %s", got)
		}
		if got := w.events(KindRole); len(got) != 2 || got[1] != "front MASTER>INIT stopped" {
			t.Errorf("role events %q, want the last transition told", got)
		}
	})
}
