package engine

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/conf"
)

func TestParseMaintained(t *testing.T) {
	t.Parallel()
	files, strange := parseMaintained([]string{"10.0.0.1", "10.0.0.2:80", "[2001:db8::1]:80", "2001:db8::2", ".10.0.0.3", "10.0.0.4~", "web", "10.0.0.5:x", "all"})
	if want := []string{"web", "10.0.0.5:x", "all"}; !slices.Equal(strange, want) {
		t.Errorf("strange are %q, want %q", strange, want)
	}
	for addr, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "10.0.0.1:443": "10.0.0.1",
		"10.0.0.2:80": "10.0.0.2:80", "10.0.0.2:443": "",
		"[2001:db8::1]:80": "[2001:db8::1]:80", "[2001:db8::1]:81": "", "[2001:db8::2]:81": "2001:db8::2",
		"10.0.0.3:80": "", "10.0.0.4:80": "",
	} {
		if got := files.of(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s is in maintenance by %q, want %q", addr, got, want)
		}
	}
}

func TestListMaintenanceIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if names, err := listMaintenance(dir); err != nil || len(names) != 0 {
		t.Errorf("an empty directory lists as %q, %v", names, err)
	}
	for i := range maxMaintenanceFiles {
		touch(t, dir, fmt.Sprint(i))
	}
	if names, err := listMaintenance(dir); err != nil || len(names) != maxMaintenanceFiles {
		t.Errorf("as many files as may be list as %d, %v", len(names), err)
	}
	touch(t, dir, "more")
	if names, err := listMaintenance(dir); err == nil {
		t.Errorf("one file too many lists as %d", len(names))
	}
}

// touch makes a file.
func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMaintenanceDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		untouch := func(name string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		touch(t, dir, "10.0.0.1")
		touch(t, dir, "10.0.0.77")
		w := newWorld(t, pool(3, remove))
		w.config.MaintenanceDir = dir
		w.start()
		w.table("1=0 2=2 3=3") // from the first instant on
		w.after(3 * time.Second)

		touch(t, dir, "10.0.0.2:80")
		touch(t, dir, "10.0.0.3:81") // another port
		w.after(2 * time.Second)
		w.table("1=0 2=0 3=3")
		if got := w.engine.Status().VirtualServers[0].Reals[1]; got.Maintenance != "10.0.0.2:80" || got.Override != "" || got.Weight != 0 {
			t.Errorf("status %+v of a server in maintenance", got)
		}

		// A wish that takes it further counts, one that gives it weight does not.
		for _, wish := range []struct {
			mode OverrideMode
			want string
		}{{OverrideDisable, "1=0 3=3"}, {OverrideWeight, "1=0 2=0 3=3"}, {OverrideNone, "1=0 2=0 3=3"}} {
			if _, err := w.engine.SetOverride(t.Context(), Target{Address: netip.MustParseAddr("10.0.0.2")}, Override{Mode: wish.mode, Weight: 7}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.table(wish.want)
		}

		// A reload keeps it, and so does a directory that cannot be read.
		next := *w.config
		next.VirtualServers = []*conf.VirtualServer{pool(4, remove)}
		w.config = &next
		if err := os.Rename(dir, dir+"-gone"); err != nil {
			t.Fatal(err)
		}
		w.after(2 * time.Second)
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.after(2 * time.Second)
		w.table("1=0 2=0 3=3 4=4")
		if err := os.Rename(dir+"-gone", dir); err != nil {
			t.Fatal(err)
		}

		untouch("10.0.0.1")
		w.after(2 * time.Second)
		w.table("1=1 2=0 3=3 4=4")

		next = *w.config
		next.MaintenanceDir = ""
		w.config = &next
		if err := w.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.table("1=1 2=2 3=3 4=4")
		var got []string
		for _, line := range w.events(KindMaintenance) {
			got = append(got, strings.ReplaceAll(line, dir, "DIR"))
		}
		want := []string{
			"10.0.0.1:80 in service>maintenance there is a file 10.0.0.1 in DIR",
			`>ignored the file "10.0.0.77" in DIR names no real server that is configured`,
			"10.0.0.2:80 in service>maintenance there is a file 10.0.0.2:80 in DIR",
			`>ignored the file "10.0.0.3:81" in DIR names no real server that is configured`,
			"> cannot read the maintenance directory; what it held last countsopen DIR: no such file or directory",
			"10.0.0.1:80 maintenance>in service the file 10.0.0.1 is gone",
			"10.0.0.2:80 maintenance>in service the file 10.0.0.2:80 is gone",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		w.stop(errSignal)
	})
}
