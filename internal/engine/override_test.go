package engine

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
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

// A file of wishes that cannot be read is told of, and set aside before another is written.
func TestUnreadOverridesAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		path := filepath.Join(w.config.StateDir, overridesFile)
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.table("1=1 2=2")
		if got := w.events(KindOperator); len(got) != 1 || !strings.Contains(got[0], path) {
			t.Errorf("events %q, want one that names %s", got, path)
		}
		target := Target{VirtualServer: "web", Address: netip.MustParseAddr("10.0.0.1")}
		if _, err := w.engine.SetOverride(t.Context(), target, Override{Mode: OverrideDrain}); err != nil {
			t.Fatal(err)
		}
		w.table("1=0 2=2")
		if data, err := os.ReadFile(path + unreadSuffix); err != nil || string(data) != "{" {
			t.Errorf("set aside is %q, %v; want what could not be read", data, err)
		}
		if over, err := readOverrides(w.config.StateDir); err != nil || over.of("web", "10.0.0.1:80").Mode != OverrideDrain {
			t.Errorf("saved are %v, %v", over, err)
		}
		w.stop(errSignal)
	})
}
