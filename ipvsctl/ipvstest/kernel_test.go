package ipvstest_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

func TestContract(t *testing.T) {
	ipvstest.TestKernel(t, func(*testing.T) ipvsctl.Kernel {
		k := ipvstest.New()
		k.SetInterfaces(ipvstest.Interface)
		k.RemoveScheduler("twos")
		return k
	})
}

func addService(port uint16) ipvsctl.Op {
	return ipvsctl.Op{Kind: ipvsctl.AddService, Service: ipvsctl.Service{
		ID:        ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)},
		Scheduler: "rr",
	}}
}

func TestFailOp(t *testing.T) {
	k := ipvstest.New()
	k.FailOp(1, syscall.ENOMEM)
	err := k.Do([]ipvsctl.Op{addService(1), addService(2), addService(3)})
	b, ok := errors.AsType[*ipvsctl.BatchError](err)
	if !ok || len(b.Failed) != 1 || b.Failed[0].Index != 1 || !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("do: %v", err)
	}
	if got := k.Table().String(); got != "-A -t 192.0.2.1:1 -s rr\n-A -t 192.0.2.1:3 -s rr\n--set 900 120 300\n" {
		t.Errorf("table:\n%s", got)
	}
	if ops := k.TakeOps(); len(ops) != 2 {
		t.Errorf("recorded %v", ops)
	}
	if err := k.Do([]ipvsctl.Op{addService(2)}); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestFailDo(t *testing.T) {
	k := ipvstest.New()
	lost := errors.New("no answer")
	k.FailDo(1, lost)
	if err := k.Do([]ipvsctl.Op{addService(1), addService(2)}); !errors.Is(err, lost) {
		t.Errorf("do: %v", err)
	}
	if n := len(k.Table().Services); n != 1 {
		t.Errorf("%d services, want 1", n)
	}
}

func TestFailDump(t *testing.T) {
	k := ipvstest.New()
	lost := errors.New("no answer")
	k.FailDump(lost)
	if _, err := k.Dump(); !errors.Is(err, lost) {
		t.Errorf("first dump: %v", err)
	}
	if _, err := k.Dump(); err != nil {
		t.Errorf("second dump: %v", err)
	}
	if n := k.Dumps(); n != 2 {
		t.Errorf("%d dumps, want 2", n)
	}
}
