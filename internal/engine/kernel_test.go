package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

func TestKernelErrorsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.kernel.FailOp(1, unix.ENOBUFS)
		w.start()
		if got := w.events(KindApply); len(got) != 1 {
			t.Errorf("events %q, want one refusal", got)
		}
		w.after(time.Second)
		w.table("1=1 2=2")
		select {
		case <-w.engine.Ready():
		default:
			t.Error("not ready after the kernel took everything")
		}
		if k := w.engine.Status().Kernel; !k.InSync || k.LastError != "" {
			t.Errorf("kernel status %+v, want in sync", k)
		}
		w.stop(errSignal)
	})
}

func TestKernelThatCannotBeOpenedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(1))
		w.openErr = unix.ENOENT
		w.start()
		w.after(time.Minute)
		if got := w.events(KindApply); len(got) != 1 {
			t.Errorf("events %q, want one for the reason, not one for each try", got)
		}
		if k := w.engine.Status().Kernel; k.InSync || k.LastError == "" {
			t.Errorf("kernel status %+v, want the error", k)
		}
		w.openLater()
		w.after(6 * time.Second)
		w.table("1=1")
		w.stop(errSignal)
	})
}

func TestDriftIsRepairedAndForeignRowsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.start()
		foreign := ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.77:80")}, Scheduler: "rr"}
		if err := w.kernel.Set(ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{foreign.ID: foreign}}); err != nil {
			t.Fatal(err)
		}
		w.table("no service")
		w.after(6 * time.Second)
		w.table("1=1 2=2")
		if _, ok := w.kernel.Table().Services[foreign.ID]; !ok {
			t.Error("the foreign service was removed")
		}
		if got := w.events(KindDrift); len(got) != 3 {
			t.Errorf("drift events %q, want one for the service and each destination", got)
		}
		if got := w.engine.Status().Kernel.Repairs; got != 3 {
			t.Errorf("%d repairs counted, want 3", got)
		}
		w.stop(errSignal)
		if _, ok := w.kernel.Table().Services[foreign.ID]; !ok {
			t.Error("the foreign service was removed at the stop")
		}
	})
}

func TestSyncDaemonFollowsTheRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(1))
		w.group()
		w.start()
		if got := w.daemons(); got != "" {
			t.Errorf("sync daemon before VRRP has said anything: %s", got)
		}
		w.becomes(vrrp.Initialize, vrrp.Backup)
		if got := w.daemons(); got != "backup eth1" {
			t.Errorf("as BACKUP: %s", got)
		}
		w.becomes(vrrp.Backup, vrrp.Master)
		if got := w.daemons(); got != "master eth1" {
			t.Errorf("as MASTER: %s", got)
		}
		// Somebody stops it by hand.
		if err := w.kernel.Do([]ipvsctl.Op{{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncMaster}}); err != nil {
			t.Fatal(err)
		}
		w.after(6 * time.Second)
		if got := w.daemons(); got != "master eth1" {
			t.Errorf("after the resync: %s", got)
		}
		w.stop(errSignal)
	})
}

// What the kernel refuses again and again does not keep back what it would take.
func TestRefusedRowDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.group()
		w.kernel.SetInterfaces("eth0") // the sync daemon's is eth1
		w.start()
		w.becomes(vrrp.Initialize, vrrp.Master)
		w.after(time.Minute)
		if k := w.engine.Status().Kernel; k.InSync || k.LastError == "" {
			t.Fatalf("kernel status %+v, want the refusal of the sync daemon", k)
		}
		w.after(time.Second) // between two tries
		if _, err := w.engine.SetOverride(t.Context(), Target{VirtualServer: "web", Address: netip.MustParseAddr("10.0.0.1")}, Override{Mode: OverrideDrain}); err != nil {
			t.Fatal(err)
		}
		w.table("1=0 2=2")
		dumps := w.kernel.Dumps()
		w.after(time.Minute)
		if n := w.kernel.Dumps() - dumps; n > 20 {
			t.Errorf("%d tries in a minute: the refused row is to be tried seldom again", n)
		}
		w.stop(errSignal)
	})
}

// A reload that shortens the time between two looks at the kernel counts at once.
func TestResyncFollowsAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.config.IPVS.Resync = time.Hour
		w.start()
		shorter := *w.config
		shorter.IPVS.Resync = 5 * time.Second
		w.config = &shorter
		w.reload(pool(2))
		if err := w.kernel.Set(ipvsctl.Table{}); err != nil {
			t.Fatal(err)
		}
		w.table("no service")
		w.after(6 * time.Second)
		w.table("1=1 2=2")
		w.stop(errSignal)
	})
}
