//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// telling is a hook that notes who it is, what it is about and how many others
// run beside it.
const telling = `#!/bin/sh
mkdir "$1/running.$$"
sleep 0.2
set -- "$1" "$1"/running.*
echo "$(id -un) $(($# - 1)) ${DIRECTOR_REAL_SERVER:-$DIRECTOR_SYNC_GROUP} $DIRECTOR_STATE" >>"$1/told"
rmdir "$1/running.$$"
`

// TestHooks lets a rack of real servers fail and return while a sync group
// becomes master: the hooks run as the script user, few at a time, each real
// server's in order, and the sync group's once.
func TestHooks(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	servers(t, n)
	folder, err := os.MkdirTemp("/run", "hooks-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o777))
	program := filepath.Join(folder, "hook")
	must(t, os.WriteFile(program, []byte(telling), 0o755))

	const rack = 24
	config := group{priority: 150, interval: 100 * time.Millisecond, inside: true}.String()
	config = strings.Replace(config, "vrrp_sync_group \"pair\" {\n", fmt.Sprintf("vrrp_sync_group \"pair\" {\n  hook \"master\" { command = [%q, %q] }\n", program, folder), 1)
	config += fmt.Sprintf("virtual_server \"web\" {\n  address = \"10.0.0.100:80\"\n  check \"file\" {\n    path = %q\n    want = \"absent\"\n    interval = \"500ms\"\n    rise = 1\n    fall = 1\n  }\n", filepath.Join(folder, "outage"))
	for _, state := range []string{"up", "down"} {
		config += fmt.Sprintf("  hook \"real_server_%s\" { command = [%q, %q] }\n", state, program, folder)
	}
	for i := range rack {
		config += fmt.Sprintf("  real_server \"10.3.1.%d:80\" {}\n", i+1)
	}
	d := startDirector(t, n, n.A, config+"}\n")

	told := func() []string {
		text, err := os.ReadFile(filepath.Join(folder, "told"))
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	await := func(state string) {
		t.Helper()
		must(t, lab.Await(time.Minute, func() error {
			got := 0
			for _, line := range told() {
				if strings.Contains(line, ":80 ") && strings.HasSuffix(line, " "+state) {
					got++
				}
			}
			if got < rack {
				return fmt.Errorf("%d hooks have told %q, want %d", got, state, rack)
			}
			return nil
		}))
	}
	await("up")
	must(t, os.WriteFile(filepath.Join(folder, "outage"), nil, 0o644))
	await("down")
	must(t, d.AwaitGroup("front", "MASTER", 20*time.Second))
	must(t, lab.Await(20*time.Second, func() error {
		if !slices.ContainsFunc(told(), func(line string) bool { return strings.HasSuffix(line, " pair MASTER") }) {
			return fmt.Errorf("the sync group's hook has not run")
		}
		return nil
	}))

	order := make(map[string]string)
	for _, line := range told() {
		var user, about, state string
		var beside int
		_, err := fmt.Sscan(line, &user, &beside, &about, &state)
		must(t, err)
		order[about] += " " + state
		if user != "nobody" {
			t.Errorf("%q: want user nobody", line)
		}
		if beside > 16+1 { // 16 of real servers, and one of the others
			t.Errorf("%q: more at once than may be", line)
		}
	}
	for about, got := range order {
		if want := map[bool]string{true: " MASTER", false: " up down"}[about == "pair"]; got != want {
			t.Errorf("%s was told%q, want%q", about, got, want)
		}
	}
	status, err := d.Status()
	must(t, err)
	if h := status.Hooks; h.Failed != 0 || h.Dropped != 0 {
		t.Errorf("hooks: %+v", h)
	}
}
