package engine

import (
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
			w.config.VirtualServers = []*conf.VirtualServer{vs}
			w.config.IPVS.OnStop = conf.StopRemove
			w.start()
			w.after(2 * time.Second)
			w.stop(why)
			events := []string{vs.Name + " >up " + vs.Name}
			if want != "" {
				events = append(events, vs.Name+want)
			}
			if diff := cmp.Diff(events, w.events(KindHook)); diff != "" {
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
