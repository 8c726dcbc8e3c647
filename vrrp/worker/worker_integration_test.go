//go:build integration

package worker

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/vrrp"
)

func TestKilledWorker(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a := p.boxes[0]
	first := a.worker()
	a.signal(first, unix.SIGKILL)
	took := eventually(t, "another worker", 10*time.Second, func() bool {
		pid := lockHolder(filepath.Join(a.dir, socketName))
		return pid != first && pid != 0 && a.is(vrrp.Master) && a.holds()
	})
	t.Logf("master by another worker after %v", took)
	p.settled()
}

func TestStoppedWorkerLosesItsAddress(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	first := a.worker()
	a.signal(first, unix.SIGSTOP)
	taken := eventually(t, "box 1 is master", 5*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() })
	gone := taken + eventually(t, "the stopped box's address is gone", lease+time.Second-taken, func() bool { return !a.holds() })
	t.Logf("taken over after %v, address gone after %v", taken, gone)
	eventually(t, "the engine says that the worker is silent", 10*time.Second, func() bool { _, c := a.state(); return !c })
	eventually(t, "the hung worker is replaced", 30*time.Second, func() bool {
		return lockHolder(filepath.Join(a.dir, socketName)) != first
	})
	p.settled()
	if exists(first) {
		t.Error("the hung worker was not reaped")
	}
}

func TestStoppedEngineHandsOver(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	worker := a.worker()
	a.signal(a.engine.Process.Pid, unix.SIGSTOP)
	took := eventually(t, "box 1 is master", grace+2*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() && !a.holds() })
	t.Logf("handed over after %v", took)
	// The engine spoke last up to a beat before it was stopped.
	if took < grace-200*time.Millisecond {
		t.Errorf("handed over after %v, want not before %v", took, grace)
	}
	a.signal(a.engine.Process.Pid, unix.SIGCONT)
	p.settled()
	if got := a.worker(); got != worker {
		t.Errorf("worker %d, want still %d", got, worker)
	}
}

func TestKilledEngineKeepsMastership(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	worker, before := a.worker(), len(b.transitions())
	for priority := uint8(201); priority < 204; priority++ {
		a.kill()
		for start := time.Now(); time.Since(start) < grace/2; time.Sleep(5 * time.Millisecond) {
			if !a.holds() {
				t.Fatal("the address left a box that only lost its engine")
			}
		}
		a.configure(priority, 100*time.Millisecond)
		a.start()
		// A worker tells whoever connects at once what it knows. Only the new
		// priority says that it has heard this engine, and counts anew.
		eventually(t, "the worker hears the next engine", 5*time.Second, func() bool {
			s, _ := a.state()
			return a.is(vrrp.Master) && s.Priority == priority
		})
		if got := a.transitions(); len(got) > 0 {
			t.Errorf("the next engine heard %v, want no transition", got)
		}
	}
	if got := b.transitions(); len(got) > before {
		t.Errorf("box 1 went through %v while only an engine was killed", got[before:])
	}
	if got := a.worker(); got != worker {
		t.Errorf("worker %d, want still %d", got, worker)
	}

	// Without a successor mastership is given up.
	a.kill()
	took := eventually(t, "box 1 is master", grace+2*time.Second, func() bool { return b.is(vrrp.Master) && !a.holds() })
	t.Logf("handed over after %v without an engine", took)
	a.start()
	p.settled()
}

func TestOrderedStopHandsOver(t *testing.T) {
	p := newPair(t, time.Second)
	a, b := p.boxes[0], p.boxes[1]
	worker := a.worker()
	if err := a.engine.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "box 1 is master", 2*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() })
	if err := a.engine.Wait(); err != nil {
		t.Errorf("engine: %v", err)
	}
	if a.holds() || exists(worker) {
		t.Errorf("after the stop: address %v, worker %v; want neither", a.holds(), exists(worker))
	}
	// Faster than by silence: priority 0 was said (RFC 9568, section 6.4.2).
	if took > 1500*time.Millisecond {
		t.Errorf("handed over after %v, want by priority 0 and not by silence", took)
	}
	t.Logf("handed over after %v", took)
	a.start()
	p.settled()
}
