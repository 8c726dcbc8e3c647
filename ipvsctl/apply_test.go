package ipvsctl_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvs-director/director/ipvsctl"
)

// TestApplyFollowsDiff does a difference on the table alone: it must end at the
// wanted table, and must not write to slices that the first table shares.
func TestApplyFollowsDiff(t *testing.T) {
	service := func(port uint16, sched string, dests ...ipvsctl.Destination) ipvsctl.Service {
		return ipvsctl.Service{ID: ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)}, Scheduler: sched, Destinations: dests}
	}
	dest := func(last byte, weight uint32) ipvsctl.Destination {
		return ipvsctl.Destination{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 80), Forward: ipvsctl.NAT, Weight: weight}
	}
	table := func(ss ...ipvsctl.Service) ipvsctl.Table {
		m := ipvsctl.Table{Services: map[ipvsctl.ServiceID]ipvsctl.Service{}, Daemons: map[ipvsctl.DaemonState]ipvsctl.Daemon{}}
		for _, s := range ss {
			m.Services[s.ID] = s
		}
		return m
	}
	have := table(service(80, "rr", dest(1, 1), dest(2, 1), dest(4, 1)), service(81, "rr", dest(1, 1)))
	have.Daemons[ipvsctl.SyncBackup] = ipvsctl.Daemon{Interface: "eth1", SyncID: 1}
	have.Timeouts.TCP = time.Minute
	want := table(service(80, "wrr", dest(1, 1), dest(2, 7), dest(3, 1)), service(82, "lc", dest(9, 1)))
	want.Daemons[ipvsctl.SyncMaster] = ipvsctl.Daemon{Interface: "eth1", SyncID: 1}
	want.Timeouts.TCP = 2 * time.Minute
	before := have.Services[have.SortedIDs()[0]].Destinations[1]

	for _, op := range ipvsctl.Diff(have, want, ipvsctl.Ownership{RemoveForeign: true}) {
		have.Apply(op)
	}

	opts := cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	if diff := cmp.Diff(want.Normal(), have.Normal(), opts); diff != "" {
		t.Errorf("table after the operations (-want +got):\n%s", diff)
	}
	if before.Weight != 1 {
		t.Errorf("a shared slice was written: %+v", before)
	}
}
