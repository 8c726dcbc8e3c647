package checks

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func shell(lines ...string) Command {
	return Command{Argv: []string{"/bin/sh", "-c", strings.Join(lines, "\n")}}
}

func TestScript(t *testing.T) {
	tests := []struct {
		name    string
		command Command
		status  string
		reason  string
		ours    bool
	}{
		{"success", shell("exit 0"), "", "", false},
		{"success with words", shell("echo load 0.5", "echo more"), "load 0.5", "", false},
		{"failure", shell("echo disk full >&2", "echo more", "exit 2"), "exit status 2", "exit status 2: disk full", false},
		{"silent failure", shell("exit 1"), "exit status 1", "exit status 1", false},
		{"first line is empty", shell("echo", "printf '\\033[31m red\\a\\n'", "exit 1"), "exit status 1", "exit status 1: [31m red", false},
		{"killed", shell("kill -SEGV $$"), "ended by signal SIGSEGV", "ended by signal SIGSEGV", false},
		{"too slow", shell("echo waiting", "sleep 60"), "killed", "no exit in 300ms, killed: waiting", false},
		{"ignores signals", shell("trap '' TERM INT HUP", "while :; do sleep 1; done"), "killed", "no exit in 300ms, killed", false},
		{"endless output", shell("yes"), "killed", "no exit in 300ms, killed: y", false},
		{"arguments are not a shell's", Command{Argv: []string{"/bin/echo", "$HOME;  *"}}, "$HOME;  *", "", false},
		{"no such program", Command{Argv: []string{"/nonexistent"}}, "", "run /nonexistent: no such file or directory", true},
		{"no absolute path", Command{Argv: []string{"true"}}, "", "run true: no absolute path", true},
		{"no program", Command{}, "", "run nothing: no absolute path", true},
		{"no such user", Command{Argv: []string{"/bin/true"}, User: "no-such-user"}, "", "run /bin/true: user: unknown user no-such-user", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := runBothWays(t, Script{Command: tt.command}, limitFor(tt.reason))
			if seen.OK != (tt.reason == "") || seen.Status != tt.status || seen.Reason != tt.reason || seen.Ours != tt.ours {
				t.Errorf("saw %+v, want status %q, reason %q", seen, tt.status, tt.reason)
			}
		})
	}
}

func TestScriptExitStatus(t *testing.T) {
	tests := []struct {
		probe  Script
		up     bool
		weight int // -1 is none
		reason string
	}{
		{Script{Command: shell("exit 1"), Exit: ExitNagios}, true, -1, ""},
		{Script{Command: shell("exit 2"), Exit: ExitNagios}, false, -1, "exit status 2"},
		{Script{Command: shell("exit 0"), Exit: ExitKeepalived}, true, -1, ""},
		{Script{Command: shell("exit 1"), Exit: ExitKeepalived}, false, -1, "exit status 1"},
		{Script{Command: shell("exit 2"), Exit: ExitKeepalived}, true, 0, ""},
		{Script{Command: shell("exit 255"), Exit: ExitKeepalived}, true, 253, ""},
		{Script{Command: shell("echo 40 of 100"), DynamicWeight: true}, true, 40, ""},
		{Script{Command: shell("echo ok"), DynamicWeight: true}, false, -1, `no weight in "ok"`},
		{Script{Command: shell("echo 70000"), DynamicWeight: true}, false, -1, `no weight in "70000"`},
		{Script{Command: shell("exit 0"), DynamicWeight: true}, false, -1, `no weight in ""`},
		{Script{Command: shell("echo 40; exit 1"), DynamicWeight: true}, false, -1, "exit status 1: 40"},
	}
	for _, tt := range tests {
		seen := tt.probe.Run(t.Context())
		weight := -1
		if seen.Weight != nil {
			weight = *seen.Weight
		}
		if seen.OK != tt.up || weight != tt.weight || seen.Reason != tt.reason {
			t.Errorf("%v: saw %+v, weight %d; want %v, %d, %q", tt.probe, seen, weight, tt.up, tt.weight, tt.reason)
		}
	}
}

func TestScriptEnvironment(t *testing.T) {
	ctx, cancel := WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	file := filepath.Join(t.TempDir(), "env")
	command := shell("env | sort | grep -v '^DIRECTOR_RUN=\\|^_=\\|^PWD=\\|^SHLVL=\\|^OLDPWD=' > " + file)
	command.Env = []string{"DIRECTOR_REAL_SERVER=10.0.0.1:80"}
	if seen := (Script{Command: command}).Run(ctx); !seen.OK {
		t.Fatalf("saw %+v", seen)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "DIRECTOR_REAL_SERVER=10.0.0.1:80\nDIRECTOR_TIMEOUT=20\nPATH=" + commandPath + "\n"
	if string(got) != want {
		t.Errorf("environment is\n%s, want\n%s", got, want)
	}
}

// TestRunCommandLeavesNothing wants the processes of a command to be gone when
// RunCommand returns, and RunCommand not to wait for what they hold open.
func TestRunCommandLeavesNothing(t *testing.T) {
	tests := []struct {
		name   string
		script string
		killed bool
	}{
		{"child holds the output", "sleep 1000 & echo $! > $F", false},
		{"child, too slow", "sleep 1000 & echo $! > $F; wait", true},
		{"grandchild, too slow", "sh -c 'sleep 1000 & echo $! > $F; wait' & wait", true},
		{"left the group and holds the output", "setsid sh -c 'echo $$ > $F; sleep 1000' & while [ ! -s $F ]; do sleep 0.01; done", false},
		{"left the group, too slow", "setsid sh -c 'echo $$ > $F; exec sleep 1000 >/dev/null 2>&1' & sleep 1000", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "pid")
			command := shell(tt.script)
			command.Env = []string{"F=" + file}
			limit := 20 * time.Second
			if tt.killed {
				limit = 700 * time.Millisecond
			}
			ctx, cancel := WithTimeout(t.Context(), limit)
			defer cancel()
			begin := time.Now()
			_, _, err := RunCommand(ctx, command)
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			if errors.Is(err, ErrKilled) != tt.killed {
				t.Errorf("error is %v", err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			// It is killed; the kernel takes a moment to carry that out.
			if !ends(t, pid) {
				t.Errorf("process %d is alive", pid)
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		})
	}
}

// ends waits until a process is gone or a zombie, and reports whether that came
// about: an orphan is reaped by whoever inherits it, when it likes.
func ends(t *testing.T, pid int) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		t.Fatal(os.NewSyscallError("pidfd_open", err))
	}
	process := os.NewFile(uintptr(fd), "pidfd")
	defer process.Close()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 20_000)
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

func TestRunCommandOutput(t *testing.T) {
	exit, output, err := RunCommand(t.Context(), shell("head -c 100000 /dev/zero | tr '\\0' x", "exit 3"))
	if exit != 3 || len(output) != maxOutput || err != nil {
		t.Errorf("exit %d, %d bytes, %v; want 3, %d, nil", exit, len(output), err, maxOutput)
	}
}

// TestRunCommandUser can tell something only when it runs as root.
func TestRunCommandUser(t *testing.T) {
	if os.Geteuid() != 0 {
		exit, _, err := RunCommand(t.Context(), Command{Argv: []string{"/bin/true"}, User: "root"})
		if exit != -1 || err == nil || !strings.Contains(err.Error(), "as user root: missing CAP_SETUID, CAP_SETGID") {
			t.Errorf("exit %d, %v, want a refusal", exit, err)
		}
		return
	}
	exit, output, err := RunCommand(t.Context(), Command{Argv: []string{"/usr/bin/id", "-un"}, User: "nobody"})
	if exit != 0 || string(output) != "nobody\n" || err != nil {
		t.Errorf("exit %d, %q, %v", exit, output, err)
	}
}

func TestFirstLine(t *testing.T) {
	tests := map[string]string{
		"":                       "",
		"\n\n  a  \nb":           "a",
		"a\x00b\x1b[0m\xff":      "a b [0m?",
		strings.Repeat("ä", 300): strings.Repeat("ä", 200) + "…",
		strings.Repeat("a ", 99): strings.TrimSpace(strings.Repeat("a ", 99)),
	}
	for output, want := range tests {
		if got := firstLine([]byte(output)); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}
