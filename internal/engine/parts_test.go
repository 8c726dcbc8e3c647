package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
)

// stuck is a probe that heeds no time limit, as the look at a file on a server
// that is dead.
type stuck struct{ until chan struct{} }

func (stuck) Kind() string { return "stuck" }
func (stuck) Key() string  { return "stuck" }
func (p stuck) Run(context.Context) checks.Observation {
	<-p.until
	return checks.Observation{}
}

// What hangs does not keep the daemon from its end, in which a successor waits.
func TestEndWaitsForNothingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		core, logs := observer.New(zap.WarnLevel)
		w.log = zap.New(core)
		until := make(chan struct{})
		vs := pool(1)
		m := checks.Monitor{Probe: stuck{until}, Interval: time.Second}
		vs.Reals[0].Checks = []conf.Check{{Name: "stuck", Monitor: m, Key: m.Key()}}
		w.config.VirtualServers = []*conf.VirtualServer{vs}
		w.start()
		w.after(2 * time.Second)
		begin := time.Now()
		w.stop(ErrLeave)
		if took := time.Since(begin); took != endTime {
			t.Errorf("the end took %v, want %v", took, endTime)
		}
		if all := logs.All(); len(all) != 1 || len(all[0].Context) != 2 || all[0].ContextMap()["waited"] != endTime {
			t.Errorf("logged %+v, want one warning", all)
		} else if got, _ := all[0].ContextMap()["running"].([]any); len(got) != 1 || got[0] != "checks" {
			t.Errorf("still running are %v, want the checks", got)
		}
		close(until)
	})
}

// A configuration that has been read too late for anybody is let go.
func TestEndDoesNotWaitForALoader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		until := make(chan struct{})
		w.start()
		w.engine.opts.Loader = func() (*conf.Config, error) { <-until; return w.config, nil }
		refused := make(chan error, 1)
		go func() { refused <- w.engine.Reload(context.Background()) }()
		synctest.Wait()
		w.stop(errSignal)
		if err := <-refused; err != errEnded {
			t.Errorf("who waits for the reload is told %v", err)
		}
		close(until)
	})
}
