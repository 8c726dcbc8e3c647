package checks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
)

// scriptUser, set in the environment, makes TestRunCommandRights the daemon that it
// starts, which runs its arguments as that user.
const scriptUser = "DIRECTOR_TEST_SCRIPT_USER"

// runAs runs a script in a daemon of user 1 that has capabilities as from a service
// manager, and returns what it prints and what the daemon says of it.
func runAs(t *testing.T, user, script string, given ...privilege.Capability) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRunCommandRights$", script)
	cmd.Dir, cmd.Env = "/", []string{scriptUser + "=" + user}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}, AmbientCaps: append(privilege.Grantable(given...), unix.CAP_KILL)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, _, _ := strings.Cut(string(out), "PASS")
	return text
}

func daemonWithoutRoot(ctx context.Context, user string, script ...string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	command := shell(script...)
	command.User = user
	exit, output, err := RunCommand(ctx, command)
	fmt.Printf("%s%d %v\n", output, exit, err)
}

// TestRunCommandRights has a daemon without root run commands under other accounts
// and its own: none inherits a capability, and what one leaves is found.
func TestRunCommandRights(t *testing.T) {
	if user, is := os.LookupEnv(scriptUser); is {
		daemonWithoutRoot(t.Context(), user, os.Args[2:]...)
		return
	}
	if os.Geteuid() != 0 {
		t.Log("only root can start a process of another account: nothing tried")
		return
	}
	const noRights = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"
	const look = "grep '^Cap[^B]' /proc/self/status; id -un; id -G"
	all := []privilege.Capability{privilege.SetUID, privilege.SetGID, privilege.NetAdmin, privilege.NetRaw, privilege.SysNice, privilege.SysResource}
	tests := []struct {
		user  string
		given []privilege.Capability
		want  string
	}{
		{"nobody", all, noRights + "nobody\n65534\n0 <nil>\n"},
		{"daemon", all, noRights + "daemon\n1\n0 <nil>\n"},
		{"", all, noRights + "daemon\n1\n0 <nil>\n"},
		{"nobody", all[2:], "-1 run /bin/sh: as user nobody: missing CAP_SETUID, CAP_SETGID\n"},
		{"nobody", all[1:], "-1 run /bin/sh: as user nobody: missing CAP_SETUID\n"},
	}
	for _, tt := range tests {
		if got := runAs(t, tt.user, look, tt.given...); got != tt.want {
			t.Errorf("as user %q with %v:\n%s, want\n%s", tt.user, tt.given, got, tt.want)
		}
	}

	// It left the group and holds the output: found by its environment, which only
	// its owner may read.
	dir, err := os.MkdirTemp("", "rights-") // that of the test is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pid")
	leave := fmt.Sprintf("setsid sh -c 'echo $$ > %[1]s; sleep 1000' & while [ ! -s %[1]s ]; do sleep 0.01; done", file)
	if got := runAs(t, "nobody", leave, all...); got != "0 <nil>\n" {
		t.Errorf("script that leaves a process: %s", got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !ends(t, pid) {
		t.Errorf("process %d is alive", pid)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// TestLimits looks at the limits of a command. Those of another account's take a
// capability, which the machine of the tests may not have.
func TestLimits(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var before unix.Rlimit
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_MEMLOCK, nil, &before); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	limitResources(ctx, cmd)
	for resource, most := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_RTPRIO: 0, unix.RLIMIT_MEMLOCK: min(8<<20, before.Max), unix.RLIMIT_CPU: 62} {
		var now unix.Rlimit
		if err := unix.Prlimit(cmd.Process.Pid, resource, nil, &now); err != nil {
			t.Fatal(err)
		}
		if now.Max > most || now.Cur > now.Max {
			t.Errorf("limit %d is %+v, want at most %d", resource, now, most)
		}
	}
	if err := lower(cmd.Process.Pid, unix.RLIMIT_CPU, 1000); err != nil {
		t.Errorf("lower a limit that is lower: %v", err)
	}
}
