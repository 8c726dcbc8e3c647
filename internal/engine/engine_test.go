package engine

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

func TestHealthMovesTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(3, remove))}
		w.servers.set("10.0.0.3", "connect: connection refused")
		w.start()
		w.after(2 * time.Second)
		w.table("1=1 2=2")

		w.servers.set("10.0.0.1", "http status 503")
		w.after(2 * time.Second)
		w.table("2=2")

		w.servers.set("10.0.0.1", "")
		w.after(2 * time.Second)
		w.table("1=1 2=2")

		got := w.events(KindReal)
		slices.Sort(got)
		want := []string{
			"10.0.0.1:80 down>up",
			"10.0.0.1:80 unknown>up",
			"10.0.0.1:80 up>down http status 503",
			"10.0.0.2:80 unknown>up",
			"10.0.0.3:80 unknown>down connect: connection refused",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		status := w.engine.Status().VirtualServers[0]
		if r := status.Reals[2]; r.State != "down" || r.Reason != "connect: connection refused" || r.InTable || r.Checks[0].LastAt.IsZero() {
			t.Errorf("status of the third server: %+v", r)
		}
		w.stop(errSignal)
		w.table("no service")
	})
}

// The sorry server must be in the table before the last real server leaves it,
// and leave only when they are back.
func TestSorryServerLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, sorry, remove))}
		w.start()
		w.after(2 * time.Second)
		w.table("1=1")
		w.kernel.TakeOps()

		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		w.table("99=1")
		w.servers.set("10.0.0.1", "")
		w.after(2 * time.Second)
		w.table("1=1")

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
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{changed, other}
		w.config = &next
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
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

// A daemon that was killed finds its table in the kernel and disturbs nothing:
// servers keep their weight until their first verdict.
func TestRestartAdopts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2, remove))}
		w.start()
		w.after(2 * time.Second)
		w.table("1=1 2=2")
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

func TestVirtualServerIsTracked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1))}
		w.group(vrrp.Track{Kind: "virtual_server", Name: "web", Weight: -60})
		w.start()
		w.after(2 * time.Second)
		up := func() bool {
			orders, _ := w.router.orders()
			return len(orders.Tracks) == 1 && orders.Tracks[0].Up
		}
		if !up() {
			t.Error("the track is not up with its virtual server")
		}
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		if up() {
			t.Error("the track is up without quorum")
		}
		_, before := w.router.orders()
		w.after(10 * time.Second)
		if _, n := w.router.orders(); n < before+9 {
			t.Errorf("%d commands in 10 s, want one each second as a proof of life", n-before)
		}
		w.stop(errSignal)
	})
}

func TestOverridesOutliveReloadAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.start()
		target := Target{VirtualServer: "web", Address: netip.MustParseAddr("10.0.0.1")}
		n, err := w.engine.SetOverride(t.Context(), target, Override{Mode: OverrideDrain, Reason: "new disk"})
		if n != 1 || err != nil {
			t.Fatalf("SetOverride: %d, %v; want 1 changed", n, err)
		}
		synctest.Wait()
		w.table("1=0 2=2")
		w.config.VirtualServers = []*conf.VirtualServer{pool(2)}
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.table("1=0 2=2")
		w.stop(errSignal)
		w.start()
		w.table("1=0 2=2")
		if _, err := w.engine.SetOverride(t.Context(), target, Override{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.table("1=1 2=2")
		target.Address = netip.MustParseAddr("10.9.9.9")
		if _, err := w.engine.SetOverride(t.Context(), target, Override{Mode: OverrideDrain}); err == nil {
			t.Error("a server that is not configured was drained")
		}
		w.stop(errSignal)
	})
}

func TestRemovedServerKeepsItsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(vs *conf.VirtualServer) { vs.DrainTimeout = time.Minute }
		w := newWorld(t, pool(2, slow))
		leaving := w.config.VirtualServers[0].Reals[1].Address()
		w.kernel.SetConnections(w.config.VirtualServers[0].Services[0].ID, leaving, 1)
		w.start()
		w.config = &conf.Config{Node: "lb-a", StateDir: w.config.StateDir, IPVS: w.config.IPVS, VirtualServers: []*conf.VirtualServer{pool(1, slow)}}
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
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
		w.config = &conf.Config{Node: "lb-a", StateDir: w.config.StateDir, IPVS: w.config.IPVS, VirtualServers: []*conf.VirtualServer{pool(1, slow)}}
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.after(10 * time.Second)
		w.table("1=1 2=0")
		w.kernel.SetConnections(id, leaving, 0)
		w.after(2 * time.Second)
		w.table("1=1")
		w.stop(errSignal)
	})
}

func TestScriptIsTracked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group(vrrp.Track{Kind: "script", Name: "uplink"})
		m := checks.Monitor{Probe: probe{w.servers, "uplink"}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
		w.config.Groups[0].Tracks = []conf.ScriptTrack{{Name: "uplink", Monitor: m}}
		w.start()
		if first := w.router.first(); len(first.Tracks) != 0 {
			t.Errorf("tracks %v before the first run of the script, want none", first.Tracks)
		}
		w.after(2 * time.Second)
		want := []vrrp.TrackState{{Group: "front", Kind: "script", Name: "uplink", Up: true}}
		if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, want) {
			t.Errorf("tracks %v, want %v", orders.Tracks, want)
		}
		w.servers.set("uplink", "no route")
		w.after(2 * time.Second)
		want = []vrrp.TrackState{{Group: "front", Kind: "script", Name: "uplink", Reason: "no route"}}
		if orders, _ := w.router.orders(); !slices.Equal(orders.Tracks, want) {
			t.Errorf("tracks %v, want %v", orders.Tracks, want)
		}
		w.stop(errSignal)
	})
}

func TestPanicKeepsThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		half := func(vs *conf.VirtualServer) { vs.PanicThreshold = 50 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(4, remove, half))}
		w.servers.set("10.0.0.4", "gone")
		w.start()
		w.after(2 * time.Second)
		w.table("1=1 2=2 3=3")
		w.servers.set("10.0.0.3", "gone")
		w.after(2 * time.Second)
		w.table("1=1 2=2") // half of them: still believed

		w.servers.set("10.0.0.2", "gone")
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		if !w.engine.Status().VirtualServers[0].Panics {
			t.Error("the status does not tell of the panic")
		}
		w.servers.set("10.0.0.4", "") // one more than were good, but still too few
		w.after(2 * time.Second)
		w.table("1=1 2=2 4=4")

		w.servers.set("10.0.0.3", "")
		w.after(2 * time.Second)
		w.table("3=3 4=4")
		if got := len(w.events(KindPanic)); got != 2 {
			t.Errorf("%d panic events, want one at the begin and one at the end", got)
		}
		w.stop(errSignal)
	})
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := func(vs *conf.VirtualServer) { vs.SlowStart, vs.Reals[0].Destination.Weight = 10*time.Second, 100 }
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, slow))}
		w.start()
		w.after(2 * time.Second)
		w.table("1=100") // not at the start of the daemon
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		w.table("1=0")
		w.servers.set("10.0.0.1", "")
		last := uint32(0)
		for range 12 {
			w.after(time.Second)
			weight := w.kernel.Table().Services[pool(0).Services[0].ID].Destinations[0].Weight
			if weight < last || weight > last+20 {
				t.Errorf("weight %d a second after %d, want it to grow by a tenth each second", weight, last)
			}
			last = weight
		}
		if last != 100 {
			t.Errorf("weight %d at the end, want 100", last)
		}
		w.stop(errSignal)
	})
}

// A pool whose servers are not known yet waits; it has lost nothing.
func TestNoQuorumIsToldBeforeTheFirstVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, remove))}
		w.servers.set("10.0.0.1", hangs)
		w.start()
		if got := w.engine.Status().VirtualServers[0]; got.State != "unknown" || got.Reason != "waiting for the first checks" {
			t.Errorf("state %s, reason %q before any verdict", got.State, got.Reason)
		}
		if got := w.events(KindQuorum); len(got) != 0 {
			t.Errorf("quorum events %q before any verdict", got)
		}
		w.after(2 * time.Second)
		want := []string{"web >down below quorum: weight 0 up of 1 wanted"}
		if diff := cmp.Diff(want, w.events(KindQuorum)); diff != "" {
			t.Errorf("quorum events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

func TestChecksAskForWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(2))}
		w.start()
		w.after(2 * time.Second)
		w.table("1=1 2=2")
		w.servers.ask("10.0.0.1", 40)
		w.after(2 * time.Second)
		w.table("1=40 2=2")
		w.servers.ask("10.0.0.1", 1<<20)
		w.after(2 * time.Second)
		w.table("1=65535 2=2")
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		w.table("1=0 2=2")
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
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{changed}
		w.config = &next
		w.kernel.TakeOps()
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if ops := w.kernel.TakeOps(); len(ops) != 0 {
			t.Errorf("operations %v before the new check has a verdict, want none", ops)
		}
		w.after(2 * time.Second)
		w.table("2=2") // it hung
		w.stop(errSignal)
	})
}
