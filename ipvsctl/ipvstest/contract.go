package ipvstest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvs-director/director/ipvsctl"
)

// TestKernel tests that a kernel keeps the contract of ipvsctl.Kernel: what it
// refuses, with which errno, and what it then holds. Open returns an empty
// table, which has the time-outs of a fresh Linux, all schedulers but twos, the
// persistence engine sip, and the interface named by Interface.
func TestKernel(t *testing.T, open func(*testing.T) ipvsctl.Kernel) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			k := open(t)
			for _, s := range c.steps {
				s.check(t, k)
			}
		})
	}
	t.Run("go on after a failure", func(t *testing.T) { testGoOn(t, open(t)) })
	t.Run("large batch", func(t *testing.T) { testLarge(t, open(t)) })
	t.Run("any two tables", func(t *testing.T) { testConverge(t, open(t)) })
	t.Run("any operations", func(t *testing.T) { testDifferential(t, open(t)) })
}

// step is an operation, the errno it ends with, and the table it leaves.
type step struct {
	op    ipvsctl.Op
	errno syscall.Errno // 0 is success
	want  string        // Table.String without time-outs; "" is not compared
}

func (s step) check(t *testing.T, k ipvsctl.Kernel) {
	t.Helper()
	err := k.Do([]ipvsctl.Op{s.op})
	if got := errnoOf(err); got != s.errno {
		t.Fatalf("%s: errno %d (%v), want %d", s.op, got, err, s.errno)
	}
	if s.want != "" {
		checkTable(t, k, s.want)
	}
}

func checkTable(t *testing.T, k ipvsctl.Kernel, want string) {
	t.Helper()
	have, err := k.Dump()
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	have.Timeouts = ipvsctl.Timeouts{}
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(have.String())); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// errnoOf returns the errno of the only operation that failed, 0 for none.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if b, ok := errors.AsType[*ipvsctl.BatchError](err); !ok || len(b.Failed) != 1 {
		return ^syscall.Errno(0)
	}
	errno, _ := errors.AsType[syscall.Errno](err)
	return errno
}

func service(n int, change ...func(*ipvsctl.Service)) ipvsctl.Service {
	s := ipvsctl.Service{
		ID:        ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 80)},
		Scheduler: "wrr",
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func destination(addr string, weight uint32, change ...func(*ipvsctl.Destination)) ipvsctl.Destination {
	d := ipvsctl.Destination{Addr: netip.MustParseAddrPort(addr), Forward: ipvsctl.NAT, Weight: weight}
	for _, f := range change {
		f(&d)
	}
	return d
}

func testGoOn(t *testing.T, k ipvsctl.Kernel) {
	one, two := service(1), service(2)
	err := k.Do([]ipvsctl.Op{
		{Kind: ipvsctl.AddService, Service: one},
		{Kind: ipvsctl.AddService, Service: one},
		{Kind: ipvsctl.AddDestination, Service: two, Destination: destination("10.0.0.1:80", 1)},
		{Kind: ipvsctl.SetTimeouts, Timeouts: ipvsctl.Timeouts{TCP: time.Minute}},
		{Kind: ipvsctl.StopDaemon, State: ipvsctl.SyncMaster},
		{Kind: ipvsctl.AddService, Service: two},
		{Kind: ipvsctl.EditDestination, Service: two, Destination: destination("10.0.0.1:80", 1)},
	})
	b, ok := errors.AsType[*ipvsctl.BatchError](err)
	if !ok {
		t.Fatalf("error %v, want a BatchError", err)
	}
	var got []string
	for _, f := range b.Failed {
		errno, _ := errors.AsType[syscall.Errno](f.Err)
		got = append(got, fmt.Sprintf("%d %s %d", f.Index, f.Op.Kind, errno))
	}
	want := []string{
		fmt.Sprintf("1 add service %d", syscall.EEXIST),
		fmt.Sprintf("2 add destination %d", syscall.ESRCH),
		fmt.Sprintf("4 stop sync daemon %d", syscall.ESRCH),
		fmt.Sprintf("6 edit destination %d", syscall.ENOENT),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	for _, errno := range []syscall.Errno{syscall.EEXIST, syscall.ESRCH, syscall.ENOENT} {
		if !errors.Is(err, errno) {
			t.Errorf("errors.Is does not find %v", errno)
		}
	}
	checkTable(t, k, "-A -t 192.0.0.1:80 -s wrr\n-A -t 192.0.0.2:80 -s wrr")
}

// testLarge does more operations at once than fit in one message to a kernel,
// and then as many that all fail.
func testLarge(t *testing.T, k ipvsctl.Kernel) {
	var ops []ipvsctl.Op
	for n := range 300 {
		s := service(n)
		ops = append(ops, ipvsctl.Op{Kind: ipvsctl.AddService, Service: s})
		for r := range 3 {
			d := destination("10.0.0.1:80", 1)
			d.Addr = netip.AddrPortFrom(d.Addr.Addr(), uint16(r+1))
			ops = append(ops, ipvsctl.Op{Kind: ipvsctl.AddDestination, Service: s, Destination: d})
		}
	}
	if err := k.Do(ops); err != nil {
		t.Fatalf("do: %v", err)
	}
	have, err := k.Dump()
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	rows := len(have.Services)
	for _, s := range have.Services {
		rows += len(s.Destinations)
	}
	if rows != len(ops) {
		t.Errorf("the table has %d rows, want %d", rows, len(ops))
	}
	b, ok := errors.AsType[*ipvsctl.BatchError](k.Do(ops))
	if !ok || len(b.Failed) != len(ops) {
		t.Fatalf("the same again did not fail for each operation")
	}
	for i, f := range b.Failed {
		if f.Index != i || !errors.Is(f.Err, syscall.EEXIST) {
			t.Fatalf("failure %d is %d: %v", i, f.Index, f.Err)
		}
	}
}

// testConverge brings the kernel from any table to any other with Diff.
func testConverge(t *testing.T, k ipvsctl.Kernel) {
	all := ipvsctl.Ownership{RemoveForeign: true}
	rapid.Check(t, func(t *rapid.T) {
		want := Tables().Draw(t, "want")
		have, err := k.Dump()
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		ops := ipvsctl.Diff(have, want, all)
		if err := k.Do(ops); err != nil {
			t.Fatalf("do %v: %v", ops, err)
		}
		got, err := k.Dump()
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		if left := ipvsctl.Diff(got, want, all); len(left) > 0 {
			t.Fatalf("still different after %v: %v", ops, left)
		}
	})
}

// testDifferential does any operations on the kernel and on one in memory, and
// compares errors and tables.
func testDifferential(t *testing.T, k ipvsctl.Kernel) {
	rapid.Check(t, func(t *rapid.T) {
		have, err := k.Dump()
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		if err := k.Do(ipvsctl.Diff(have, emptyTable(), ipvsctl.Ownership{RemoveForeign: true})); err != nil {
			t.Fatalf("clear: %v", err)
		}
		twin := New()
		twin.SetInterfaces(Interface)
		twin.RemoveScheduler("twos")
		for range rapid.IntRange(1, 20).Draw(t, "operations") {
			op := operations().Draw(t, "operation")
			want, got := errnoOf(twin.Do([]ipvsctl.Op{op})), errnoOf(k.Do([]ipvsctl.Op{op}))
			if got != want {
				t.Fatalf("%s: errno %d, want %d", op, got, want)
			}
		}
		got, err := k.Dump()
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		if diff := cmp.Diff(twin.Table().String(), got.String()); diff != "" {
			t.Fatalf("table (-want +got):\n%s", diff)
		}
	})
}

// emptyTable is the state in which TestKernel gets a kernel.
func emptyTable() ipvsctl.Table {
	return ipvsctl.Table{Daemons: map[ipvsctl.DaemonState]ipvsctl.Daemon{}, Timeouts: New().timeouts}
}

// operations generates single operations, many of which fail.
func operations() *rapid.Generator[ipvsctl.Op] {
	return rapid.Custom(func(t *rapid.T) ipvsctl.Op {
		op := ipvsctl.Op{Kind: rapid.SampledFrom([]ipvsctl.OpKind{
			ipvsctl.AddService, ipvsctl.AddService, ipvsctl.EditService,
			ipvsctl.AddDestination, ipvsctl.AddDestination, ipvsctl.AddDestination, ipvsctl.EditDestination, ipvsctl.DeleteDestination,
			ipvsctl.DeleteService, ipvsctl.StopDaemon, ipvsctl.StartDaemon, ipvsctl.SetTimeouts,
		}).Draw(t, "kind")}
		switch op.Kind {
		case ipvsctl.StopDaemon, ipvsctl.StartDaemon:
			op.State = rapid.SampledFrom([]ipvsctl.DaemonState{ipvsctl.SyncMaster, ipvsctl.SyncBackup, 0, 3}).Draw(t, "state")
			op.Daemon = syncDaemons().Draw(t, "daemon")
			op.Daemon.Interface = rapid.SampledFrom([]string{Interface, Interface, "", "none"}).Draw(t, "interface")
		case ipvsctl.SetTimeouts:
			op.Timeouts = timeouts().Draw(t, "timeouts")
		default:
			op.Service = services().Draw(t, "service")
			op.Service.Scheduler = rapid.SampledFrom([]string{op.Service.Scheduler, op.Service.Scheduler, "none-such"}).Draw(t, "scheduler")
			op.Destination = destinations(op.Service.ID.AddressFamily(), true).Draw(t, "destination")
			if rapid.IntRange(0, 4).Draw(t, "odd") == 0 {
				op.Destination.Forward = rapid.SampledFrom([]ipvsctl.Forward{ipvsctl.NAT, ipvsctl.DR, ipvsctl.TUN}).Draw(t, "forward")
				op.Destination.Lower = rapid.Uint32Range(0, 4).Draw(t, "lower")
				op.Destination.Weight = rapid.SampledFrom([]uint32{1, 1 << 31, 1<<32 - 1}).Draw(t, "weight")
				op.Destination.Tunnel.Port = rapid.SampledFrom([]uint16{0, 1}).Draw(t, "port")
			}
		}
		return op
	})
}
