package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/vrrp"
)

// telling is a hook whose event's reason is what the environment says of a variable.
func telling(variable string) conf.Hook {
	return conf.Hook{Command: checks.Command{Argv: []string{"/usr/bin/printenv", variable}}, Timeout: time.Minute}
}

// Hooks of the quorum run in the order of what has happened, each awaited.
func TestQuorumHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		vs := w.checked(pool(1, remove))
		vs.Hooks = map[string]conf.Hook{"up": telling("DIRECTOR_VIRTUAL_SERVER"), "down": telling("DIRECTOR_REASON")}
		w.config.VirtualServers = []*conf.VirtualServer{vs}
		w.start()
		w.after(2 * time.Second)
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		w.servers.set("10.0.0.1", "")
		w.after(2 * time.Second)
		want := []string{vs.Name + " >up " + vs.Name, vs.Name + " >down below quorum: weight 0 up of 1 wanted", vs.Name + " >up " + vs.Name}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

// Hooks of the stop run after those that are due, when the table is as on_stop
// says, and not when a successor goes on.
func TestStopHooks(t *testing.T) {
	for why, want := range map[error]string{errSignal: " >stop the daemon stops", ErrLeave: ""} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			vs := w.checked(pool(1, remove))
			vs.Hooks = map[string]conf.Hook{"up": telling("DIRECTOR_VIRTUAL_SERVER"), "stop": telling("DIRECTOR_REASON")}
			real := vs.Reals[0].Address().String()
			vs.Reals[0].Hooks = map[string]conf.Hook{"stop": telling("DIRECTOR_REAL_SERVER")}
			w.config.VirtualServers = []*conf.VirtualServer{vs}
			w.config.IPVS.OnStop = conf.StopRemove
			w.start()
			w.after(2 * time.Second)
			w.stop(why)
			events := []string{vs.Name + " >up " + vs.Name}
			if want != "" {
				events = append(events, vs.Name+want, real+" >stop "+real)
			}
			got := w.events(KindHook)
			slices.Sort(got) // the last two run side by side
			slices.Sort(events)
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("%v: hooks (-want +got):\n%s", why, diff)
			}
		})
	}
}

// A hook of the stop that does not end does not keep the daemon from its end.
// (No process: the bubble's time would stand still for it.)
func TestStopHookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		vs := w.checked(pool(1, remove))
		vs.Hooks = map[string]conf.Hook{"stop": telling("DIRECTOR_STATE")}
		w.engine = New(Options{Log: zaptest.NewLogger(t), Config: w.config, Pool: checks.NewPool()})
		w.engine.services = []*service{{vs: vs}}
		w.engine.runStopHooks() // with nobody who runs them
		want := []string{">stop 1 hooks have not ended in 30s and are given up"}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})
}

// Hooks of a group run for the states entered; one that fails is told of and
// holds up nothing.
func TestGroupHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group()
		w.config.Groups = []conf.GroupPolicy{{Group: "front", Hooks: map[string]conf.Hook{
			"master": telling("DIRECTOR_GROUP"),
			"backup": {Command: checks.Command{Argv: []string{"/bin/false"}}, Timeout: time.Minute},
		}}}
		w.start()
		w.becomes(vrrp.Initialize, vrrp.Backup)
		w.becomes(vrrp.Backup, vrrp.Master)
		w.after(time.Second)
		want := []string{"front >BACKUP exit status 1", "front >MASTER front"}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

// Hooks of a sync group run once all of it are in a state, after those of the
// groups; what is told of one group alone runs none.
func TestSyncGroupHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group()
		w.config.VRRP.Groups = append(w.config.VRRP.Groups, vrrp.Group{Name: "back", Interface: "eth1", RouterID: 52, Version: 3, Priority: 100})
		w.config.VRRP.SyncGroups = []vrrp.SyncGroup{{Name: "both", Groups: []string{"front", "back"}}}
		w.config.Groups = []conf.GroupPolicy{{Group: "front", Hooks: map[string]conf.Hook{"master": telling("DIRECTOR_GROUP")}}, {Group: "back"}}
		arguments := conf.Hook{Command: checks.Command{Argv: []string{"/bin/echo"}}, Timeout: time.Minute, Keepalived: true}
		w.config.SyncGroupHooks = map[string]map[string]conf.Hook{"both": {"master": arguments, "backup": telling("DIRECTOR_SYNC_GROUP")}}
		w.start()
		becomes := func(group string, from, to vrrp.State) {
			w.router.reports <- vrrp.Report{Connected: true, Transitions: []vrrp.Transition{{Group: group, From: from, To: to}}}
			w.after(time.Second)
		}
		becomes("front", vrrp.Initialize, vrrp.Backup)
		if got := w.events(KindHook); got != nil {
			t.Errorf("hooks of half a sync group: %v", got)
		}
		becomes("back", vrrp.Initialize, vrrp.Backup)
		becomes("front", vrrp.Backup, vrrp.Master)
		becomes("back", vrrp.Backup, vrrp.Master)
		becomes("back", vrrp.Master, vrrp.Fault)
		want := []string{"both >BACKUP both", "front >MASTER front", "both >MASTER GROUP both MASTER 0"}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"both >BACKUP", "both BACKUP>MASTER"}, slices.DeleteFunc(w.events(KindRole), func(line string) bool {
			return !strings.HasPrefix(line, "both")
		})); diff != "" {
			t.Errorf("roles of the sync group (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

// Hooks of real servers run for every verdict of their checks, also the first.
func TestRealServerHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		vs := w.checked(pool(2, remove))
		real := vs.Reals[0].Address().String()
		vs.Reals[0].Hooks = map[string]conf.Hook{"up": telling("DIRECTOR_REAL_SERVER"), "down": telling("DIRECTOR_REASON")}
		w.config.VirtualServers = []*conf.VirtualServer{vs}
		w.start()
		w.after(2 * time.Second)
		w.servers.set("10.0.0.1", "gone")
		w.after(2 * time.Second)
		want := []string{real + " >up " + real, real + " >down gone"}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
		if got := w.engine.Status().Hooks; got != (HookStatus{}) {
			t.Errorf("when all is done: %+v", got)
		}
		w.stop(errSignal)
	})
}
