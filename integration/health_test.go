//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// script is a check that does what a file beside it says about the real server
// that it is asked about: an exit status and a reason, or "hang" with a grandchild.
const script = `#!/bin/sh
read -r status reason <"$1/$DIRECTOR_REAL_ADDRESS" || exit 0
if [ "$status" = hang ]; then
	sleep 987 &
	sleep 987
fi
echo "$reason"
exit "$status"
`

// TestHealth lets each kind of probe find a server bad in each of its ways, take
// it out as on_failure says, and bring it back.
func TestHealth(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 3})
	web := servers(t, n)
	orders, err := os.MkdirTemp("/run", "script-") // for the script to read as nobody
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(orders) })
	must(t, os.Chmod(orders, 0o755))
	program := filepath.Join(orders, "check")
	must(t, os.WriteFile(program, []byte(script), 0o755))

	var config strings.Builder
	// An emulated processor needs 30 ms to start a script, and other work may go first.
	virtual := func(name string, port int, onFailure, kind, more string, reals ...int) {
		fmt.Fprintf(&config, "virtual_server %q {\n  address = \"10.0.0.100:%d\"\n  scheduler = \"rr\"\n  on_failure = %q\n", name, port, onFailure)
		fmt.Fprintf(&config, "  check %q {\n    interval = \"1s\"\n    fast_interval = \"500ms\"\n    timeout = \"900ms\"\n    rise = 2\n    fall = 2\n    %s\n  }\n", kind, more)
		for _, i := range reals {
			fmt.Fprintf(&config, "  real_server \"%v:80\" { weight = 5 }\n", lab.ServerAddr(i))
		}
		config.WriteString("}\n")
	}
	virtual("tcp-drain", 81, "drain", "tcp", "", 1, 2)
	virtual("http-drain", 82, "drain", "http", `path = "/"`, 1, 2)
	virtual("http-remove", 83, "remove", "http", `expect_body = "rs"`, 1, 2)
	virtual("icmp-remove", 84, "remove", "icmp", "", 2, 3)
	virtual("script-drain", 85, "drain", "script", fmt.Sprintf("command = [%q, %q]", program, orders), 1, 2)
	d := startDirector(t, n, n.A, config.String())
	for _, name := range []string{"tcp-drain", "http-drain", "http-remove", "script-drain"} {
		_, err := d.AwaitReal(name, "10.3.0.11:80", "up", 20*time.Second)
		must(t, err)
	}
	_, err = d.AwaitReal("icmp-remove", "10.3.0.13:80", "up", 20*time.Second)
	must(t, err)

	tell := func(order string) func() error {
		return func() error {
			path := filepath.Join(orders, "10.3.0.11")
			if order == "" {
				return os.Remove(path)
			}
			return os.WriteFile(path, []byte(order+"\n"), 0o644)
		}
	}
	set := func(m lab.Mode) func() error { return func() error { return web[0].Set(m) } }
	tests := []struct {
		virtual, port, real string
		how                 string
		bad, good           func() error
		reason              []string
	}{
		{"tcp-drain", "81", "10.3.0.11:80", "refuses", set(lab.Refusing), set(lab.Healthy), []string{"refused"}},
		{"http-drain", "82", "10.3.0.11:80", "answers 503", set(lab.Broken), set(lab.Healthy), []string{"503"}},
		{"http-remove", "83", "10.3.0.11:80", "hangs", set(lab.Hanging), set(lab.Healthy), []string{"900ms"}},
		{"http-remove", "83", "10.3.0.11:80", "drips", set(lab.Dripping), set(lab.Healthy), []string{"900ms"}},
		{"icmp-remove", "84", "10.3.0.13:80", "is gone", func() error { return n.Pull(n.Servers[2], "eth1") }, func() error { return n.Plug(n.Servers[2], "eth1") }, []string{"900ms"}},
		{"script-drain", "85", "10.3.0.11:80", "exits 3", tell("3 the disk is full"), tell(""), []string{"the disk is full"}},
		{"script-drain", "85", "10.3.0.11:80", "outlives its time", tell("hang"), tell(""), []string{"900ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.virtual+" "+tt.how, func(t *testing.T) {
			address := "10.0.0.100:" + tt.port
			awaitRow(t, n.A, false, "-a", address, tt.real, "-w", "5")
			began := time.Now()
			must(t, tt.bad())
			real, err := d.AwaitReal(tt.virtual, tt.real, "down", 15*time.Second)
			must(t, err)
			must(t, contains(real.Reason, tt.reason...))
			if strings.HasSuffix(tt.virtual, "drain") {
				awaitRow(t, n.A, false, "-a", address, tt.real, "-w", "0")
			} else {
				awaitRow(t, n.A, true, "-a", address, tt.real)
			}
			out, err := d.Command("status", tt.virtual)
			must(t, err)
			must(t, contains(out, tt.reason...))
			out, err = d.Command("tail", "-n", "0", "--virtual-server", tt.virtual, "--real-server", tt.real)
			must(t, err)
			must(t, contains(out, tt.reason...))

			must(t, tt.good())
			_, err = d.AwaitReal(tt.virtual, tt.real, "up", 15*time.Second)
			must(t, err)
			awaitRow(t, n.A, false, "-a", address, tt.real, "-w", "5")
			downs, ups := 0, 0
			events, err := d.Events(engine.KindReal)
			must(t, err)
			for _, e := range events {
				if e.VirtualServer == tt.virtual && e.RealServer == tt.real && e.Time.After(began) {
					switch e.To {
					case "down":
						downs++
					case "up":
						ups++
					}
				}
			}
			if downs != 1 || ups != 1 {
				t.Errorf("%d events of going down and %d of coming up, want one each", downs, ups)
			}
		})
	}
	// What the script started is gone with it.
	must(t, lab.Await(5*time.Second, func() error {
		pids, err := d.PIDs()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(line), "987") {
				return fmt.Errorf("a script's grandchild lives on as %d", pid)
			}
		}
		return nil
	}))
	must(t, d.Signal(syscall.SIGTERM))
	must(t, d.Wait(10*time.Second))
}
