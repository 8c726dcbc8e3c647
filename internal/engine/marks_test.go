package engine

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
	"github.com/lvs-director/director/vrrp"
)

// memoryMarks are the marks of a kernel in memory.
type memoryMarks struct {
	mu      sync.Mutex
	have    marks.Table
	whole   bool
	refuses error
	writes  int
	half    bool // the next read finds nothing
}

func (m *memoryMarks) Read() (marks.Table, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.half {
		m.half = false
		return nil, m.whole, m.refuses
	}
	return maps.Clone(m.have), m.whole, m.refuses
}

func (m *memoryMarks) Write(have, want marks.Table, whole bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if whole != m.whole || whole && len(marks.Diff(have, m.have)) > 0 {
		return errors.New("that is not what is there")
	}
	m.have, m.whole = maps.Clone(want), true
	m.writes++
	return m.refuses
}

func (m *memoryMarks) Remove() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.have, m.whole = nil, false
	return m.refuses
}

// set changes the marks behind the daemon's back.
func (m *memoryMarks) set(f func(*memoryMarks)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// marked is a pool behind a mark of addresses.
func marked(mark uint32, addrs ...string) *conf.VirtualServer {
	vs := pool(1, remove)
	vs.Services[0].ID = ipvsctl.ServiceID{FWMark: mark, Family: ipvsctl.IPv4}
	for _, a := range addrs {
		vs.Marked = append(vs.Marked, marks.Target{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort(a)})
	}
	return vs
}

func (w *world) wantMarks(m *memoryMarks, want marks.Table) {
	w.t.Helper()
	have, _, _ := m.Read()
	if diff := cmp.Diff(want, have); diff != "" {
		w.t.Errorf("marks (-want +got):\n%s", diff)
	}
}

func TestMarksFollowTheConfiguration(t *testing.T) {
	one, two := marks.Target{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}, marks.Target{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.2:80")}
	synctest.Test(t, func(t *testing.T) {
		kernel := &memoryMarks{}
		w := newWorld(t, marked(7, "192.0.2.1:80"))
		w.marks = kernel
		w.start()
		w.wantMarks(kernel, marks.Table{one: 7})
		w.reload(marked(7, "192.0.2.1:80"))
		if kernel.writes != 1 {
			t.Errorf("%d writes, want that nothing is written again", kernel.writes)
		}
		w.reload(marked(7, "192.0.2.1:80", "192.0.2.2:80"))
		w.wantMarks(kernel, marks.Table{one: 7, two: 7})
		w.reload(marked(8, "192.0.2.2:80"))
		w.wantMarks(kernel, marks.Table{two: 8})
		w.reload(pool(1, remove))
		w.wantMarks(kernel, nil)
		w.stop(errSignal)
	})
}

func TestMarksAreRepaired(t *testing.T) {
	one := marks.Target{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	synctest.Test(t, func(t *testing.T) {
		kernel := &memoryMarks{}
		w := newWorld(t, marked(7, "192.0.2.1:80"))
		w.marks = kernel
		w.start()
		kernel.set(func(m *memoryMarks) { m.have = marks.Table{one: 9} })
		w.after(6 * time.Second)
		w.wantMarks(kernel, marks.Table{one: 7})
		kernel.set(func(m *memoryMarks) { m.have, m.whole = nil, false })
		w.after(6 * time.Second)
		w.wantMarks(kernel, marks.Table{one: 7})
		got := w.events(KindDrift)
		if len(got) != 2 || !strings.Contains(got[0], "mark tcp 192.0.2.1:80 with 7 instead of 9") || !strings.Contains(got[1], "nft table inet director") {
			t.Errorf("events %q", got)
		}
		w.stop(errSignal)
		w.wantMarks(kernel, nil)
	})
}

// A look that misses marks, while the kernel rearranges a large table, is no drift.
func TestMarksAreLookedAtTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &memoryMarks{}
		w := newWorld(t, marked(7, "192.0.2.1:80"))
		w.marks = kernel
		w.start()
		kernel.set(func(m *memoryMarks) { m.half = true })
		w.after(6 * time.Second)
		if got := w.events(KindDrift); len(got) != 0 {
			t.Errorf("events %q", got)
		}
		w.stop(errSignal)
	})
}

// A kernel without nftables is told of once, and tried again.
func TestMarksAreRetried(t *testing.T) {
	one := marks.Target{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	synctest.Test(t, func(t *testing.T) {
		kernel := &memoryMarks{refuses: errors.New("no nf_tables")}
		w := newWorld(t, marked(7, "192.0.2.1:80"))
		w.marks = kernel
		w.start()
		w.after(time.Minute)
		if got := w.events(KindApply); len(got) != 1 {
			t.Errorf("events %q, want one", got)
		}
		if k := w.engine.Status().Kernel; k.InSync || k.LastError != "no nf_tables" {
			t.Errorf("the status tells %+v, want no nf_tables", k)
		}
		kernel.set(func(m *memoryMarks) { m.refuses = nil })
		w.after(10 * time.Second)
		w.wantMarks(kernel, marks.Table{one: 7})
		if k := w.engine.Status().Kernel; !k.InSync || k.LastError != "" {
			t.Errorf("the status tells %+v, want in sync", k)
		}
		w.stop(errSignal)
	})
}

// Marks that a former run has left for a service that is ours go, also when
// none are configured any more.
func TestMarksOfAFormerRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &memoryMarks{}
		w := newWorld(t, marked(7, "192.0.2.1:80"))
		w.marks = kernel
		w.start()
		w.stop(ErrLeave)
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{pool(1, remove)}
		w.config = &next
		changes, err := PreviewMarks(w.config, kernel, zaptest.NewLogger(t))
		if err != nil || len(changes) != 1 || changes[0].String() != "mark tcp 192.0.2.1:80 no more with 7" {
			t.Errorf("the preview is %v, %v", changes, err)
		}
		w.start()
		w.wantMarks(kernel, nil)
		w.stop(errSignal)
	})
}

// Marks come before the services that are for them, whatever else the kernel refuses.
func TestMarksDoNotWaitForARefusedRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memoryMarks{}
		w := newWorld(t, pool(2))
		w.marks = m
		w.group()
		w.kernel.SetInterfaces("eth0") // the sync daemon's is eth1
		w.start()
		w.becomes(vrrp.Initialize, vrrp.Master)
		w.after(time.Minute)
		w.reload(marked(7, "192.0.2.1:80"))
		w.wantMarks(m, marks.Table{{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}: 7})
		w.stop(errSignal)
	})
}
