package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is also a process without root that has been given capabilities.
func TestMain(m *testing.M) {
	if part := os.Getenv("DIRECTOR_TEST_PART"); part != "" {
		if err := parts[part](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var given = []Capability{SetUID, SetGID, NetAdmin, NetRaw}

// runPart runs a part as user 1, with what is given as its service manager would
// have it, and returns what it prints.
func runPart(t *testing.T, part string, more ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("only root can start a process of another account: nothing tried")
		return ""
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = "/"
	cmd.Env = append(more, "DIRECTOR_TEST_PART="+part)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}, AmbientCaps: Grantable(given...)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", part, err, out)
	}
	return string(out)
}

var parts = map[string]func() error{
	"inherited": func() error { return show(func(f func() error) error { return f() }) },
	"started":   func() error { return show(Start) },
	"withheld": func() error {
		if err := Withhold(); err != nil {
			return err
		}
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETEUID, 0, 0, 0); errno == unix.ENOTSUP {
			return show(Start) // C is linked in
		}
		return show(func(f func() error) error { return f() })
	},
	"granted": func() error {
		if err := Withhold(); err != nil {
			return err
		}
		return show(Start, Grantable(NetRaw, IPCLock, SysNice)...)
	},
	"owner": readAsOwner,
}

// show prints the capabilities of a program that is started in a way. This process
// must have what it was given as before.
func show(way func(func() error) error, grant ...uintptr) error {
	cmd := exec.Command("/bin/grep", "^Cap[^B]", "/proc/self/status")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: grant}
	if err := way(cmd.Start); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	if missing := Missing(given...); missing != "" {
		return errors.New("it has itself lost " + missing)
	}
	return nil
}

// capabilities is what show prints for a program that has the given ones, the
// inheritable and the bounding set apart.
func capabilities(of ...Capability) string {
	var mask uint64
	for _, c := range of {
		mask |= 1 << c
	}
	var b strings.Builder
	for _, set := range []string{"Inh", "Prm", "Eff", "Amb"} {
		fmt.Fprintf(&b, "Cap%s:\t%016x\n", set, mask)
	}
	return b.String()
}

func TestInheritance(t *testing.T) {
	tests := map[string]string{
		"inherited": capabilities(given...), // what this package is there for
		"started":   capabilities(),
		"withheld":  capabilities(),
		"granted":   capabilities(NetRaw),
	}
	for part, want := range tests {
		if got := runPart(t, part); got != want && got != "" {
			t.Errorf("%s:\n%s, want\n%s", part, got, want)
		}
	}
}

// readAsOwner reads what only another account may, and no more after that.
func readAsOwner() error {
	name := os.Getenv("F")
	if _, err := os.ReadFile(name); !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("before: %v", err)
	}
	var text []byte
	var err error
	AsOwner(2, 2, func() { text, err = os.ReadFile(name) })
	if err != nil || string(text) != "secret" {
		return fmt.Errorf("as its owner: %q, %v", text, err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("%d threads, %v", len(threads), err)
	}
	for _, name := range threads {
		status, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		if !strings.Contains(string(status), "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n") {
			return fmt.Errorf("a thread is still another's:\n%s", status)
		}
	}
	if missing := Missing(given...); missing != "" {
		return errors.New("it has lost " + missing)
	}
	return nil
}

func TestAsOwner(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "secret")
	if err := errors.Join(os.WriteFile(name, []byte("secret"), 0o440), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(name, 2, 2); err != nil {
			t.Fatal(err)
		}
	}
	runPart(t, "owner", "F="+name)
	done := false
	AsOwner(os.Geteuid(), os.Getegid(), func() { done = true })
	if !done {
		t.Error("nothing was done")
	}
}

func TestMissing(t *testing.T) {
	const none Capability = 63 // the kernel has no such
	if got := Missing(none); got != "capability 63" {
		t.Errorf("missing is %q", got)
	}
	if got := Grantable(none); len(got) != 0 {
		t.Errorf("grantable are %v", got)
	}
	if os.Geteuid() == 0 && (Missing(SetUID, SetGID) != "" || !slices.Equal(Grantable(SetUID, SetGID), []uintptr{unix.CAP_SETUID, unix.CAP_SETGID})) {
		t.Errorf("root misses %q, can grant %v", Missing(SetUID, SetGID), Grantable(SetUID, SetGID))
	}
	if s := (sets{}); s.withhold() || SysResource.in(0, 0) || !SysResource.in(1<<24, 0) || !Capability(40).in(0, 1<<8) {
		t.Error("the sets are read wrong")
	}
}
