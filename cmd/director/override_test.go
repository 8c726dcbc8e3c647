package main

import (
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lvs-director/director/internal/engine"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

// countingKernel has connections that end one by one while they are counted.
type countingKernel struct {
	*ipvstest.Kernel
	left atomic.Int64
}

func (k *countingKernel) Connections(id ipvsctl.ServiceID) (map[netip.AddrPort]int, error) {
	left := int(max(0, k.left.Add(-1)))
	counts := make(map[netip.AddrPort]int)
	for _, d := range k.Table().Services[id].Destinations {
		counts[d.Addr] = left
	}
	return counts, nil
}

// weightOf returns the weight of the only real server in the kernel's table.
func weightOf(t *testing.T, kernel ipvsctl.Kernel) (weight uint32, held bool) {
	t.Helper()
	table, err := kernel.Dump()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table.Services {
		for _, d := range s.Destinations {
			return d.Weight, true
		}
	}
	return 0, false
}

func TestOverridesReachTheKernelAndSurvive(t *testing.T) {
	t.Parallel()
	kernel := &countingKernel{Kernel: ipvstest.New()}
	kernel.left.Store(2)
	r := startDaemon(t, func() (ipvsctl.Kernel, error) { return kernel, nil }, "")
	r.awaitStatus(t, "web up", webIsUp)

	if got := director(t, "weight", "web", "127.0.0.1", "3", "-s", r.socket); got != (result{stdout: "1 real server changed\n"}) {
		t.Errorf("weight: %+v", got)
	}
	if w, _ := weightOf(t, kernel); w != 3 {
		t.Errorf("weight %d, want 3", w)
	}
	got := director(t, "drain", "127.0.0.1", "--wait", "--reason", "kernel update", "-s", r.socket)
	if got != (result{stdout: "1 real server changed\n1 connection left\n0 connections left\n"}) {
		t.Errorf("drain: %+v", got)
	}
	if w, held := weightOf(t, kernel); w != 0 || !held {
		t.Errorf("weight %d, held %v, want a drained one", w, held)
	}
	if got := director(t, "drain", "127.0.0.1", "--reason", "kernel update", "-s", r.socket); got.stdout != "nothing to change: it was so already\n" {
		t.Errorf("drain again: %+v", got)
	}
	if got := director(t, "tail", "-k", "operator", "-s", r.socket); !strings.Contains(got.stdout, "kernel update") || !strings.Contains(got.stdout, "uid") {
		t.Errorf("event: %+v", got)
	}
	if got := director(t, "reload", "-s", r.socket); got.code != exitOK {
		t.Errorf("reload: %+v", got)
	}
	if w, _ := weightOf(t, kernel); w != 0 {
		t.Errorf("weight %d after a reload, want 0", w)
	}

	// A restart keeps it, and --exit-code does not take it for a problem.
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = r.restart(t, func() (ipvsctl.Kernel, error) { return kernel, nil })
	r.awaitStatus(t, "override", func(s *engine.Status) bool {
		return s.Kernel.InSync && s.VirtualServers[0].Reals[0].State == "up" && s.VirtualServers[0].Reals[0].Override != ""
	})
	got = director(t, "status", "-s", r.socket)
	if !strings.Contains(got.stdout, "has the override drain") {
		t.Errorf("status after a restart: %+v", got)
	}
	if got = director(t, "disable", "web", "all", "-s", r.socket); got.code != exitOK {
		t.Errorf("disable: %+v", got)
	}
	if w, held := weightOf(t, kernel); held {
		t.Errorf("still in the table with weight %d", w)
	}
	if got = director(t, "undrain", "127.0.0.1", "-s", r.socket); got.stdout != "1 real server changed\n" {
		t.Errorf("undrain: %+v", got)
	}
	if w, _ := weightOf(t, kernel); w != 10 {
		t.Errorf("weight %d, want the configured 10", w)
	}
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	kernel := &countingKernel{Kernel: ipvstest.New()}
	kernel.left.Store(1 << 40)
	r := startDaemon(t, func() (ipvsctl.Kernel, error) { return kernel, nil }, "")
	got := director(t, "drain", "web", "all", "--wait", "--timeout", "1ms", "-s", r.socket)
	if got.code != exitFailure || !strings.Contains(got.stderr, "deadline exceeded") {
		t.Errorf("drain: %+v", got)
	}
}

func TestOverridesRefused(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"drain", "10.9.9.9", "-s", r.socket}, exitFailure, "no real server 10.9.9.9 is configured"},
		{[]string{"drain", "nope", "127.0.0.1", "-s", r.socket}, exitFailure, "no real server nope 127.0.0.1 is configured"},
		{[]string{"drain", "all", "-s", r.socket}, exitFailure, `"all" needs a virtual server`},
		{[]string{"weight", "127.0.0.1", "-1"}, exitUsage, "unknown shorthand flag"},
		{[]string{"weight", "127.0.0.1", "--", "-1"}, exitUsage, `weight "-1" is no number`},
		{[]string{"weight", "127.0.0.1", "4294967296"}, exitUsage, "is no number from 0"},
		{[]string{"drain"}, exitUsage, "accepts between 1 and 2 arg(s)"},
		{[]string{"drain", "127.0.0.1", "-s", filepath.Join(r.dir, "none.sock")}, exitFailure, "no director is running"},
	}
	for _, test := range tests {
		if got := director(t, test.args...); got.code != test.code || !strings.Contains(got.stderr, test.want) {
			t.Errorf("director %v: %+v, want %d and %q", test.args, got, test.code, test.want)
		}
	}
}
