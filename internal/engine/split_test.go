package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

// TestSplitIsTold makes an event of a second master, one of its end, and a line
// of the status meanwhile.
func TestSplitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group()
		w.start()
		w.becomes(vrrp.Backup, vrrp.Master)
		tell := func(now bool) {
			w.router.reports <- vrrp.Report{Connected: true, Status: []vrrp.Status{{Group: "front", State: vrrp.Master, Split: vrrp.Split{
				Now: now, Since: time.Unix(0, 0).UTC(), Addr: netip.MustParseAddr("192.0.2.3"), Priority: 100, Adverts: 3,
			}}}}
			synctest.Wait()
		}
		tell(true)
		tell(true)
		w.after(time.Second)
		if got := w.engine.Status().VRRP.Groups[0].Split; got != "192.0.2.3 (priority 100) since 1970-01-01T00:00:00Z" {
			t.Errorf("status says %q", got)
		}
		tell(false)
		want := []string{
			"front one master>two masters 192.0.2.3 (priority 100) is master too",
			"front two masters>one master 192.0.2.3 is not heard any more",
		}
		if diff := cmp.Diff(want, w.events(KindSplit)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}

// TestStrangerIsTold does the same for somebody else who claims an address.
func TestStrangerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.group()
		w.start()
		w.becomes(vrrp.Backup, vrrp.Master)
		tell := func(now bool) {
			w.router.reports <- vrrp.Report{Connected: true, Status: []vrrp.Status{{Group: "front", State: vrrp.Master, Stranger: vrrp.Stranger{
				Now: now, Since: time.Unix(0, 0).UTC(), Addr: netip.MustParseAddr("192.0.2.1"), MAC: "02:00:00:00:00:63",
			}}}}
			synctest.Wait()
		}
		tell(true)
		tell(true)
		w.after(time.Second)
		if got := w.engine.Status().VRRP.Groups[0].Stranger; got != "02:00:00:00:00:63 claims 192.0.2.1 since 1970-01-01T00:00:00Z" {
			t.Errorf("status says %q", got)
		}
		tell(false)
		want := []string{
			"front ours alone>claimed 02:00:00:00:00:63 says that 192.0.2.1 is his",
			"front claimed>ours alone 02:00:00:00:00:63 does not say any more that 192.0.2.1 is his, or we are not MASTER any more",
		}
		if diff := cmp.Diff(want, w.events(KindConflict)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}
