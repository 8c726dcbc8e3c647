//go:build integration

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// startPool starts a director on A whose virtual address is its own.
func startPool(t *testing.T, n *lab.Network, config string) *lab.Director {
	t.Helper()
	must(t, n.A.AddAddress("eth0", netip.PrefixFrom(lab.VIP(0), 24)))
	must(t, n.A.AddAddress("eth1", netip.PrefixFrom(lab.InsideVIP, 24)))
	return startDirector(t, n, n.A, config)
}

const everyTenth = `  check "http" {
    interval = "100ms"
    timeout  = "90ms"
    rise     = 1
    fall     = 2
  }
`

// awaitRequests waits until a load has made so many more requests.
func awaitRequests(t *testing.T, load *lab.Load, more int) {
	t.Helper()
	before := load.Requests()
	must(t, lab.Await(60*time.Second, func() error {
		if done := load.Requests() - before; done < more {
			return fmt.Errorf("%d of %d requests", done, more)
		}
		return nil
	}))
}

// TestPause stops the engine for many times the interval and the time limit of
// its checks. When it goes on it must not take its own absence for the
// servers' death.
func TestPause(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 3})
	web := servers(t, n)
	config := "virtual_server \"web\" {\n  address = \"10.0.0.100:80\"\n  scheduler = \"rr\"\n" + `  check "http" {
    interval = "500ms"
    timeout  = "3s"
    rise     = 1
    fall     = 1
  }
`
	for i := range web {
		config += fmt.Sprintf("  real_server \"%v:80\" {}\n", lab.ServerAddr(i+1))
	}
	d := startPool(t, n, config+"}\n")
	for i := range web {
		_, err := d.AwaitReal("web", lab.ServerAddr(i+1).String()+":80", "up", 10*time.Second)
		must(t, err)
	}
	monitor, err := n.A.Watch()
	must(t, err)
	load := n.Client.Load(t.Context(), at(80), 2)
	began := time.Now()
	must(t, d.Signal(syscall.SIGSTOP))
	must(t, lab.Await(60*time.Second, func() error {
		if paused := time.Since(began); paused < 10*time.Second {
			return fmt.Errorf("paused for %v", paused)
		}
		return nil
	}))
	resumed := time.Now()
	must(t, d.Signal(syscall.SIGCONT))
	must(t, lab.Await(30*time.Second, func() error {
		status, err := d.Status()
		if err != nil {
			return err
		}
		for _, r := range status.VirtualServers[0].Reals {
			if at := r.Checks[0].LastAt; at.Before(resumed.Add(time.Second)) {
				return fmt.Errorf("%s was asked last %v after it went on", r.Address, at.Sub(resumed))
			}
		}
		return nil
	}))
	_, failures := load.Stop()
	for _, err := range failures {
		t.Errorf("request failed: %v", err)
	}
	must(t, lab.Await(30*time.Second, func() error {
		events, err := d.Events(engine.KindPace)
		if err == nil && (len(events) == 0 || events[0].To != "late" || events[0].Lag < 9*time.Second) {
			err = fmt.Errorf("it tells of its pace %+v", events)
		}
		return err
	}))
	events, err := d.Events(engine.KindReal)
	must(t, err)
	for _, e := range events {
		if e.To == "down" {
			t.Errorf("%s went down: %s", e.RealServer, e.Reason)
		}
	}
	must(t, monitor.Close())
	if got := monitor.Count(began); len(got) != 0 {
		t.Errorf("the kernel's table was changed: %v", got)
	}
}

// TestSorryServer lets the whole pool fail and come back under traffic. The sorry
// server is in before the last real server is out, and the other way round: no
// connection is ever refused because the pool is empty.
func TestSorryServer(t *testing.T) {
	for _, onFailure := range []string{"drain", "remove"} {
		t.Run(onFailure, func(t *testing.T) {
			n := newNetwork(t, lab.Options{Servers: 3})
			web := servers(t, n)
			d := startPool(t, n, fmt.Sprintf(`virtual_server "web" {
  address      = "10.0.0.100:80"
  scheduler    = "rr"
  on_failure   = %q
  sorry_server = "%v:80"
%s  real_server "%v:80" {}
  real_server "%v:80" {}
}
`, onFailure, lab.ServerAddr(3), everyTenth, lab.ServerAddr(1), lab.ServerAddr(2)))
			first, second := lab.ServerAddr(1).String()+":80", lab.ServerAddr(2).String()+":80"
			for _, real := range []string{first, second} {
				_, err := d.AwaitReal("web", real, "up", 10*time.Second)
				must(t, err)
			}
			load := n.Client.Load(t.Context(), at(80), 2)
			awaitRequests(t, load, 20)
			for _, mode := range []lab.Mode{lab.Broken, lab.Healthy} {
				state := map[lab.Mode]string{lab.Broken: "down", lab.Healthy: "up"}[mode]
				must(t, web[0].Set(mode))
				must(t, web[1].Set(mode))
				for _, real := range []string{first, second} {
					_, err := d.AwaitReal("web", real, state, 10*time.Second)
					must(t, err)
				}
				awaitRequests(t, load, 20)
				name, err := n.Client.Get(t.Context(), at(80), 5*time.Second)
				must(t, err)
				if sorry := name == "rs3"; sorry != (mode == lab.Broken) {
					t.Errorf("with all servers %s %s answers", state, name)
				}
			}
			_, failures := load.Stop()
			for _, err := range failures {
				// An empty pool refuses. A server that is about to be found bad answers
				// 503; one that was removed, as with on_failure "remove", answers no more
				// those whom it has begun with. The sorry server is drained.
				text := err.Error()
				if !strings.Contains(text, "503") && !(onFailure == "remove" && strings.Contains(text, "deadline exceeded")) {
					t.Errorf("request failed: %v", err)
				}
			}
		})
	}
}

// TestSharedProbes has many virtual servers use the same probe of the same
// server: it is asked as often as if it were one.
func TestSharedProbes(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	web := servers(t, n)
	config := `check "http" "shared" {
  interval = "1s"
  rise     = 1
}
`
	for i := range 50 {
		config += fmt.Sprintf("virtual_server \"v%d\" {\n  address = \"10.0.0.100:%d\"\n  checks = [\"shared\"]\n  real_server \"%v:80\" {}\n}\n", i, 1000+i, lab.ServerAddr(1))
	}
	d := startPool(t, n, config)
	for i := range 50 {
		_, err := d.AwaitReal(fmt.Sprintf("v%d", i), lab.ServerAddr(1).String()+":80", "up", 20*time.Second)
		must(t, err)
	}
	before, began := web[0].Requests(), time.Now()
	must(t, lab.Await(30*time.Second, func() error {
		if done := web[0].Requests() - before; done < 4 {
			return fmt.Errorf("%d requests", done)
		}
		return nil
	}))
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("4 requests within %v, one a second was configured", took)
	}
}

// TestMaintenanceDirectory takes a server into maintenance by a file: who is
// connected stays so, nobody new comes, and a restart keeps it so.
func TestMaintenanceDirectory(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 2})
	echoes(t, n)
	dir, file := t.TempDir(), lab.ServerAddr(1).String()
	config := fmt.Sprintf(`maintenance_dir = %q
virtual_server "echo" {
  address   = "10.0.0.100:7"
  scheduler = "rr"
  real_server "%v:7" {}
  real_server "%v:7" {}
}
`, dir, lab.ServerAddr(1), lab.ServerAddr(2))
	d := startPool(t, n, config)
	row := func(server int, weight string) {
		awaitRow(t, n.A, false, "-a", lab.ServerAddr(server).String()+":7", "-w", weight)
	}
	row(1, "1")
	flows := make([]*lab.Flow, 2) // by turns: one on each
	for i := range flows {
		flow, err := n.Client.NewFlow(t.Context(), at(7))
		must(t, err)
		t.Cleanup(func() { must(t, flow.Close()) })
		flows[i] = flow
	}
	must(t, os.WriteFile(filepath.Join(dir, file), nil, 0o644))
	row(1, "0")
	for range 4 {
		flow, err := n.Client.NewFlow(t.Context(), at(7))
		must(t, err)
		t.Cleanup(func() { must(t, flow.Close()) })
		flows = append(flows, flow)
	}
	has, err := n.A.Established(at(7).String())
	must(t, err)
	if one, two := has[lab.ServerAddr(1).String()+":7"], has[lab.ServerAddr(2).String()+":7"]; one != 1 || two != 5 {
		t.Errorf("the server in maintenance has %d connections, the other %d, want 1 and 5", one, two)
	}
	must(t, d.Signal(syscall.SIGKILL))
	must(t, d.Wait(10*time.Second))
	must(t, d.Start())
	awaitReady(t, d)
	row(1, "0")
	for _, flow := range flows {
		must(t, flow.Alive(10*time.Second))
	}
	must(t, os.Remove(filepath.Join(dir, file)))
	row(1, "1")
}
