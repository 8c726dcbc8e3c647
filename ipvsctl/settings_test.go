package ipvsctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("net/ipv4/ip_forward", "0\n")
	write("net/ipv4/vs/sync_threshold", "3\t50\n")
	write("net/ipv4/vs/drop_entry", "2\n") // the kernel makes it of 1
	tree := SettingsTree(dir)
	wanted := Settings{"net.ipv4.ip_forward": "1", "net.ipv4.vs.sync_threshold": "3 50", "net.ipv4.vs.drop_entry": "1", "net.ipv4.vs.none": "1"}

	changes, err := tree.Diff(wanted)
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "read net.ipv4.vs.none: no such file or directory" {
		t.Errorf("Diff: %v", err)
	}
	if diff := cmp.Diff([]SettingChange{{"net.ipv4.ip_forward", "0", "1"}}, changes); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	err = tree.Apply(append([]SettingChange{{"net.ipv4.vs.none", "0", "1"}}, changes...))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Apply: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "net/ipv4/vs/none")); err == nil {
		t.Error("Apply made a setting that the kernel does not have")
	}
	delete(wanted, "net.ipv4.vs.none")
	if changes, err := tree.Diff(wanted); err != nil || len(changes) > 0 {
		t.Errorf("after Apply: %v, %v", changes, err)
	}
}
