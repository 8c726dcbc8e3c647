package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
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
		w.engine.realHooks.run = func(hookRun) {}
		w.engine.runStopHooks()
		want := []string{">stop 1 hooks have not ended in 30s and are given up"}
		if diff := cmp.Diff(want, w.events(KindHook)); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})
}

// However many virtual servers have something to do at the stop, all of it is done.
func TestManyStopHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine = New(Options{Log: zap.NewNop(), Config: w.config, Pool: checks.NewPool()})
		const servers = 1000
		for i := range servers {
			vs := &conf.VirtualServer{Name: fmt.Sprint(i), Hooks: map[string]conf.Hook{"stop": {}}}
			w.engine.services = append(w.engine.services, &service{vs: vs})
		}
		ran := make(map[string]bool)
		w.engine.realHooks.run = func(h hookRun) {
			ran[h.virtualServer] = true
			go func() { w.engine.hooks.done <- h.event("") }()
		}
		w.engine.runStopHooks()
		if len(ran) != servers {
			t.Errorf("%d hooks ran, want all %d", len(ran), servers)
		}
	})
}

// A group's hook does not wait for those of virtual servers, however many hang.
func TestMastershipWaitsForNoOtherHook(t *testing.T) {
	e := New(Options{Log: zap.NewNop(), Config: &conf.Config{}})
	var started []string
	e.hooks.run = func(h hookRun) { started = append(started, h.group+h.virtualServer+" "+h.state) }
	e.realHooks.run = e.hooks.run
	for i := range 2 * realHooksAtOnce {
		e.runHook(hookRun{virtualServer: fmt.Sprint(i), state: "down"})
	}
	e.runHook(hookRun{group: "front", state: "MASTER"})
	if len(started) != realHooksAtOnce+1 || started[realHooksAtOnce] != "front MASTER" {
		t.Errorf("started are %q, want %d of virtual servers and the group's", started, realHooksAtOnce)
	}
	want := HookStatus{Running: realHooksAtOnce + 1, Waiting: realHooksAtOnce}
	if got := e.hookStatus(); got != want {
		t.Errorf("status %+v, want %+v", got, want)
	}
}

// Of groups that change faster than their hooks run, the oldest changes are left
// out, and never the last one.
func TestHooksOfFlappingGroups(t *testing.T) {
	e := New(Options{Log: zap.NewNop(), Config: &conf.Config{}})
	var running []hookRun
	e.hooks.run = func(h hookRun) { running = append(running, h) }
	e.hooks.left = func(h hookRun, why string) { e.event(h.event(why)) }
	e.runHook(hookRun{group: "steady", state: "BACKUP"}) // it runs
	e.runHook(hookRun{group: "steady", state: "MASTER"})
	for i := range hookQueueSize + 10 {
		e.runHook(hookRun{syncGroup: "flapping", state: fmt.Sprint(i)})
	}
	if got := e.hookStatus(); got != (HookStatus{Running: 1, Waiting: hookQueueSize, Dropped: 11}) {
		t.Errorf("status %+v", got)
	}
	want := fmt.Sprintf("flapping >0 left out: %d hooks wait, and a later one of the same group", hookQueueSize)
	if got := (&world{engine: e}).events(KindHook); len(got) != 11 || got[0] != want {
		t.Errorf("told %q, want eleven times as %q", got, want)
	}
	for e.hooks.running > 0 {
		e.takeHook(running[len(running)-1].event(""))
	}
	if h := running[1]; h.group != "steady" || h.state != "MASTER" {
		t.Errorf("the second one that ran is %+v", h)
	}
	if last := running[len(running)-1].state; last != fmt.Sprint(hookQueueSize+9) {
		t.Errorf("the last one that ran is for %s", last)
	}
}

// Many groups that each have one thing to tell tell it.
func TestHooksOfManyGroups(t *testing.T) {
	e := New(Options{Log: zap.NewNop(), Config: &conf.Config{}})
	e.hooks.run = func(hookRun) {}
	for i := range 2 * hookQueueSize {
		e.runHook(hookRun{group: fmt.Sprint(i), state: "MASTER"})
	}
	if got := e.hookStatus(); got != (HookStatus{Running: 1, Waiting: 2*hookQueueSize - 1}) {
		t.Errorf("status %+v, want none left out", got)
	}
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
