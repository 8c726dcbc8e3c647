package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lvs-director/director/internal/realserver"
)

// TestRealserverWaits wants a command to wait for another one, and to go on from
// what that has done.
func TestRealserverWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state, made := filepath.Join(dir, "state.json"), filepath.Join(dir, "made")
	other, err := realserver.Open(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan result, 1)
	go func() { ended <- director(t, "realserver", "down", "--state", state) }()
	unit := realserver.Item{Kind: realserver.File, Name: made}
	other.Changes = append(other.Changes, realserver.Change{Item: unit, After: "made"})
	writeFile(t, made, "made")
	if err := other.Up(realserver.Linux{}); err != nil { // of no address: it only remembers
		t.Fatal(err)
	}
	other.Close()
	if r := <-ended; r.code != 0 {
		t.Errorf("down: exit code %d: %s", r.code, r.stderr)
	}
	if _, err := os.Stat(made); !os.IsNotExist(err) {
		t.Errorf("what the other has made is still there: %v", err)
	}
}

// TestRealserverUsage wants a wrong command line to leave no state behind.
func TestRealserverUsage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "director")
	for _, args := range [][]string{{"up"}, {"up", "--vip", "192.0.2.300"}, {"down", "--vip", "192.0.2.1", "--mode", "nat"}} {
		r := director(t, append([]string{"realserver", "--state", filepath.Join(dir, "state.json")}, args...)...)
		if r.code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("there is a state: %v", err)
	}
}
