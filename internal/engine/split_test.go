package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

// isTold has VRRP report something of a master, twice, and that it is over: one
// event for each, and a line of the group's status meanwhile.
func isTold(t *testing.T, kind Kind, status func(now bool) vrrp.Status, line func(GroupStatus) string, says string, want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group()
		w.start()
		w.becomes(vrrp.Backup, vrrp.Master)
		tell := func(now bool) {
			s := status(now)
			s.Group, s.State = "front", vrrp.Master
			w.router.reports <- vrrp.Report{Connected: true, Status: []vrrp.Status{s}}
			synctest.Wait()
		}
		tell(true)
		tell(true)
		w.after(time.Second)
		if got := line(w.engine.Status().VRRP.Groups[0]); got != says {
			t.Errorf("status says %q", got)
		}
		tell(false)
		if diff := cmp.Diff(want, w.events(kind)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

// TestSplitIsTold: a second master.
func TestSplitIsTold(t *testing.T) {
	isTold(t, KindSplit, func(now bool) vrrp.Status {
		return vrrp.Status{Split: vrrp.Split{Now: now, Since: time.Unix(0, 0).UTC(), Addr: netip.MustParseAddr("192.0.2.3"), Priority: 100, Adverts: 3}}
	}, func(g GroupStatus) string { return g.Split }, "192.0.2.3 (priority 100) since 1970-01-01T00:00:00Z",
		"front one master>two masters 192.0.2.3 (priority 100) is master too",
		"front two masters>one master 192.0.2.3 is not heard any more")
}

// TestStrangerIsTold: somebody else who claims an address.
func TestStrangerIsTold(t *testing.T) {
	isTold(t, KindConflict, func(now bool) vrrp.Status {
		return vrrp.Status{Stranger: vrrp.Stranger{Now: now, Since: time.Unix(0, 0).UTC(), Addr: netip.MustParseAddr("192.0.2.1"), MAC: "02:00:00:00:00:63"}}
	}, func(g GroupStatus) string { return g.Stranger }, "02:00:00:00:00:63 claims 192.0.2.1 since 1970-01-01T00:00:00Z",
		"front ours alone>claimed 02:00:00:00:00:63 says that 192.0.2.1 is his",
		"front claimed>ours alone 02:00:00:00:00:63 does not say any more that 192.0.2.1 is his, or we are not MASTER any more")
}
