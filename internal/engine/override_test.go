package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
)

func TestOverridesOutliveReloadAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.start()
		target := Target{VirtualServer: "web", Address: netip.MustParseAddr("10.0.0.1")}
		n, err := w.engine.SetOverride(t.Context(), target, Override{Mode: OverrideDrain, Reason: "new disk"})
		if n != 1 || err != nil {
			t.Fatalf("SetOverride: %d, %v; want 1 changed", n, err)
		}
		synctest.Wait()
		w.table("1=0 2=2")
		w.reload(pool(2))
		w.table("1=0 2=2")
		w.stop(errSignal)
		w.start()
		w.table("1=0 2=2")
		if _, err := w.engine.SetOverride(t.Context(), target, Override{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.table("1=1 2=2")
		target.Address = netip.MustParseAddr("10.9.9.9")
		if _, err := w.engine.SetOverride(t.Context(), target, Override{Mode: OverrideDrain}); err == nil {
			t.Error("a server that is not configured was drained")
		}
		w.stop(errSignal)
	})
}
