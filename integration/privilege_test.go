//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// revealing is a script that tells who runs it and what it may, as soon as its
// limits are there. The first check leaves a process behind, out of its group.
const revealing = `#!/bin/sh
until grep -q '^Max realtime priority  *0  *0 ' /proc/$$/limits && ! grep -q - /proc/$$/oom_score_adj; do
	sleep 0.05
done
{
	id -un
	grep -E '^(Cap(Inh|Prm|Eff|Amb)|Max (core|realtime priority|locked))' /proc/self/status /proc/self/limits
	cat /proc/self/oom_score_adj
} >"$1/$2.$$"
mv "$1/$2.$$" "$1/$2"
if [ "$2" = check ] && [ ! -e "$1/left" ]; then
	setsid sh -c 'echo $$ >"$0/left"; exec sleep 987' "$1" &
	while [ ! -s "$1/left" ]; do
		sleep 0.05
	done
fi
`

// unit is what packaging/director.service says of one setting.
func unit(t *testing.T, setting string) string {
	t.Helper()
	text, err := os.ReadFile("../packaging/director.service")
	must(t, err)
	found := regexp.MustCompile(`(?m)^` + setting + `=(.+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("the unit says nothing of %s", setting)
	}
	return string(found[1])
}

// asUnit is how systemd starts the daemon, but as another account.
func asUnit(t *testing.T, account string) []string {
	t.Helper()
	capabilities := func(setting string) string {
		words := "-all"
		for name := range strings.FieldsSeq(unit(t, setting)) {
			words += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
		}
		return words
	}
	ambient := capabilities("AmbientCapabilities")
	if unit(t, "NoNewPrivileges") != "yes" {
		t.Error("the unit allows new privileges")
	}
	return []string{
		"choom", "-n", unit(t, "OOMScoreAdjust"), "--",
		"prlimit", "--rtprio=" + unit(t, "LimitRTPRIO"), "--memlock=unlimited", "--core=unlimited", "--",
		"setpriv", "--reuid=" + account, "--regid=" + account, "--clear-groups", "--no-new-privs",
		"--inh-caps=" + ambient, "--ambient-caps=" + ambient, "--bounding-set=" + capabilities("CapabilityBoundingSet"),
	}
}

// TestPrivilege runs a director as its unit does, without root: all that it does
// works, its VRRP process is punctual and has what it needs, and its scripts
// have nothing, whichever account is theirs.
func TestPrivilege(t *testing.T) {
	const account = "daemon" // any that is not the scripts'
	for _, scripts := range []string{"nobody", account} {
		t.Run("scripts of "+scripts, func(t *testing.T) {
			n := newNetwork(t, lab.Options{Servers: 1})
			servers(t, n)
			folder, program := scriptFolder(t)
			d := newDirector(t, n, n.A, fmt.Sprintf(`
vrrp "front" {
  interface          = "eth0"
  virtual_router_id  = 51
  priority           = 150
  advertise_interval = "100ms"
  addresses          = ["%[1]v/24"]
  track "script" "self" {
    command  = [%[2]q, %[3]q, "track"]
    interval = "10s"
    timeout  = "9s"
    rise     = 1
  }
  hook "master" { command = [%[2]q, %[3]q, "hook"] }
}
virtual_server "web" {
  address = "%[1]v:80"
  check "script" {
    command  = [%[2]q, %[3]q, "check"]
    interval = "10s"
    timeout  = "9s"
    rise     = 1
  }
  real_server "%[4]v:80" {}
}
`, lab.VIP(0), program, folder, lab.ServerAddr(1)))
			config := filepath.Join(d.Folder, "director.hcl")
			text, err := os.ReadFile(config)
			must(t, err)
			must(t, os.WriteFile(config, []byte(strings.Replace(string(text), "nobody", scripts, 1)), 0o644))
			must(t, os.Chown(d.Folder, 1, 1))
			must(t, d.StartBy(asUnit(t, account)...))
			awaitReady(t, d)

			must(t, d.AwaitGroup("front", "MASTER", 30*time.Second))
			must(t, n.A.AwaitAddress(lab.VIP(0), true, 5*time.Second))
			_, err = d.AwaitReal("web", lab.ServerAddr(1).String()+":80", "up", 30*time.Second)
			must(t, err)
			awaitRow(t, n.A, false, "-a", "10.0.0.100:80", lab.ServerAddr(1).String()+":80")
			wantWorker(t, d, account)
			for _, what := range []string{"check", "track", "hook"} {
				wantNoRights(t, filepath.Join(folder, what), scripts)
			}
			wantEnd(t, filepath.Join(folder, "left"))
			hooks, err := d.Events(engine.KindHook)
			must(t, err)
			for _, e := range hooks {
				if e.Error != "" {
					t.Errorf("hook: %s", e.Error)
				}
			}
			if log := d.Log(); strings.Contains(log, "refused") || strings.Contains(log, "without their limits") {
				t.Error("something was refused")
			}
		})
	}
}

// TestPrivilegeOfSuccessor has the engine end for a successor, which finds the VRRP
// process and its scripts run, too.
func TestPrivilegeOfSuccessor(t *testing.T) {
	n := newNetwork(t, lab.Options{})
	folder, program := scriptFolder(t)
	config := group{priority: 150, interval: 100 * time.Millisecond,
		more: fmt.Sprintf("  track \"script\" \"self\" {\n    command = [%q, %q, \"track\"]\n    interval = \"10s\"\n    timeout = \"9s\"\n    rise = 1\n  }\n", program, folder)}
	d := newDirector(t, n, n.A, config.String())
	must(t, os.Chown(d.Folder, 1, 1))
	must(t, d.StartBy(asUnit(t, "daemon")...))
	must(t, d.AwaitGroup("front", "MASTER", 30*time.Second))
	worker, err := d.Worker()
	must(t, err)
	wantNoRights(t, filepath.Join(folder, "track"), "nobody")
	must(t, os.Remove(filepath.Join(folder, "track")))

	must(t, d.Signal(unix.SIGUSR2))
	must(t, d.Process.Wait(20*time.Second))
	must(t, d.StartBy(asUnit(t, "daemon")...))
	must(t, d.AwaitGroup("front", "MASTER", 30*time.Second))
	again, err := d.Worker()
	must(t, err)
	if again != worker {
		t.Errorf("VRRP process %d, want still %d", again, worker)
	}
	wantNoRights(t, filepath.Join(folder, "track"), "nobody")

	// One that is killed is started again, by an engine that has run scripts.
	must(t, unix.Kill(worker, unix.SIGKILL))
	must(t, lab.Await(20*time.Second, func() error {
		again, err := d.Worker()
		if err == nil && again == worker {
			err = fmt.Errorf("VRRP process %d is still there", again)
		}
		return err
	}))
	must(t, d.AwaitGroup("front", "MASTER", 30*time.Second))
	wantWorker(t, d, "daemon")
}

// scriptFolder makes a folder that every account may write to, with the script in it.
func scriptFolder(t *testing.T) (folder, program string) {
	t.Helper()
	folder, err := os.MkdirTemp("/run", "privilege-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o777))
	program = filepath.Join(folder, "script")
	must(t, os.WriteFile(program, []byte(revealing), 0o755))
	return folder, program
}

// wantWorker wants the VRRP process to be in real time, in locked memory, spared by
// the kernel, and with no capability beyond its own.
func wantWorker(t *testing.T, d *lab.Director, account string) {
	t.Helper()
	pid, err := d.Worker()
	must(t, err)
	must(t, lab.Await(10*time.Second, func() error { // it sets itself up
		has, err := unix.SchedGetAttr(pid, 0)
		if err == nil && has.Policy != unix.SCHED_RR {
			err = fmt.Errorf("VRRP process has policy %d, want SCHED_RR (%d)", has.Policy, unix.SCHED_RR)
		}
		if err != nil {
			return err
		}
		score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
		if err == nil && string(score) != "-1000\n" {
			err = fmt.Errorf("VRRP process has OOM score %s", score)
		}
		return err
	}))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	owner, err := d.Box.Run("stat", "-c", "%U", fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	if strings.TrimSpace(owner) != account {
		t.Errorf("VRRP process runs as %s, want %s", owner, account)
	}
	mask := uint64(1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_SYS_NICE | 1<<unix.CAP_IPC_LOCK | 1<<unix.CAP_SYS_RESOURCE)
	must(t, contains(string(status), fmt.Sprintf("CapPrm:\t%016x\n", mask), fmt.Sprintf("CapEff:\t%016x\n", mask)))
	if strings.Contains(string(status), "VmLck:\t       0 kB") {
		t.Error("VRRP process has locked no memory")
	}
}

// wantNoRights waits until a script has told of itself, and wants it to be the
// account's, to have no capability and none of the daemon's privileges.
func wantNoRights(t *testing.T, file, account string) {
	t.Helper()
	var told string
	must(t, lab.Await(30*time.Second, func() error {
		text, err := os.ReadFile(file)
		told = string(text)
		return err
	}))
	want := account + `
/proc/self/status:CapInh: 0000000000000000
/proc/self/status:CapPrm: 0000000000000000
/proc/self/status:CapEff: 0000000000000000
/proc/self/status:CapAmb: 0000000000000000
/proc/self/limits:Max core file size 0 0 bytes
/proc/self/limits:Max locked memory 8388608 8388608 bytes
/proc/self/limits:Max realtime priority 0 0
0
`
	var got strings.Builder
	for line := range strings.Lines(told) {
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	if got.String() != want {
		t.Errorf("%s told\n%s, want\n%s", filepath.Base(file), got.String(), want)
	}
}

// wantEnd waits until the process whose id is in a file has ended.
func wantEnd(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	must(t, lab.Await(20*time.Second, func() error {
		if unix.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d, which a script left, is still there", pid)
		}
		return nil
	}))
}
