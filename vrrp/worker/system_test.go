package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/vrrp"
)

// exists reports whether a process runs. One that has ended and whose parent has
// not buried it yet, as the orphan of a killed engine, does not.
func exists(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ") // after the command's name
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func sendSignal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// spawn starts this program in another of its parts, and returns what it prints.
func spawn(t *testing.T, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, out
}

func TestEngineKilledAndRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	engine := func() (*exec.Cmd, *bufio.Scanner) {
		cmd, out := spawn(t, "test-engine", dir)
		return cmd, bufio.NewScanner(out)
	}
	// untilMaster returns the transitions before, and the worker's process id.
	// It reads one report more: by then the worker knows that they have arrived.
	untilMaster := func(s *bufio.Scanner) (heard []vrrp.Transition, worker string) {
		t.Helper()
		for s.Scan() {
			var r vrrp.Report
			if err := json.Unmarshal(s.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			heard = append(heard, r.Transitions...)
			if worker != "" {
				return heard, worker
			}
			if r.Connected && len(r.Status) == 1 && r.Status[0].State == vrrp.Master {
				worker = r.Status[0].Reason
			}
		}
		t.Fatal("the engine ended")
		return nil, ""
	}

	first, out := engine()
	heard, pid := untilMaster(out)
	if len(heard) != 1 || heard[0].To != vrrp.Master {
		t.Errorf("the first engine heard %v, want the transition to MASTER", heard)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()

	second, out := engine()
	heard, again := untilMaster(out)
	if again != pid {
		t.Errorf("the second engine found worker %s, want %s", again, pid)
	}
	if len(heard) > 0 {
		t.Errorf("the second engine heard %v, want no transition", heard)
	}

	// A third, in this process, takes over from one that still runs, and stops the worker.
	c := connect(t, dir)
	if got := c.master(); strconv.Itoa(got) != pid {
		t.Errorf("the third engine found worker %d, want %s", got, pid)
	}
	// It would start another worker.
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.Wait()
	c.stop()
	if len(c.heard) != 1 || c.heard[0].To != vrrp.Initialize {
		t.Errorf("the third engine heard %v, want that the group left", c.heard)
	}
}

func TestWorkerKilledIsStartedAgain(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	first := c.master()
	sendSignal(t, first, unix.SIGKILL)
	r := c.until("the loss is told", func(r vrrp.Report) bool { return len(r.Problems) > 0 })
	if want := "vrrp worker: killed by signal killed"; r.Problems[0] != want {
		t.Errorf("problem %q, want %q", r.Problems[0], want)
	}
	if second := c.master(); second == first {
		t.Error("the killed worker still answers")
	}
	if exists(first) {
		t.Error("the killed worker was not reaped")
	}
	c.stop()
}

func TestWorkerTerminatedLeavesByRule(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	first := c.master()
	sendSignal(t, first, unix.SIGTERM)
	c.until("it has left", func(vrrp.Report) bool {
		return len(c.heard) > 1 && c.heard[1].From == vrrp.Master && c.heard[1].To == vrrp.Initialize
	})
	if second := c.master(); second == first {
		t.Error("the terminated worker still answers")
	}
	c.stop()
}

func TestWorkerIsOfAnotherSession(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	pid := c.master()
	ours, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := unix.Getsid(pid)
	if err != nil || theirs == ours || theirs != pid {
		t.Errorf("the worker %d is of session %d (%v), the engine of %d", pid, theirs, err, ours)
	}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err != nil || string(name) != processName+"\n" {
		t.Errorf("the worker is called %q (%v), want %q", name, err, processName)
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || !strings.Contains(string(env), "GOMAXPROCS=2\x00GODEBUG=") || !strings.Contains(string(env), "asyncpreemptoff=1\x00") {
		t.Errorf("the worker wakes more threads than it needs, or is interrupted by Go's watchdog: %q, %v", env, err)
	}
	cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || strings.Contains(strings.ReplaceAll(string(cmd), "\x00", " "), " run ") {
		t.Errorf("command line %q, %v: it must not look like the engine's", cmd, err)
	}
	// A terminal that hangs up and a Ctrl-C are not for it.
	for _, s := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGPIPE} {
		sendSignal(t, pid, s)
	}
	c.until("another report", func(r vrrp.Report) bool { return len(r.Status) == 1 })
	if got := c.master(); got != pid {
		t.Errorf("worker %d answers, want still %d", got, pid)
	}
	c.stop()
	if exists(pid) {
		t.Error("the worker is still there after an ordered stop")
	}
}

func TestWorkerOfAnotherProtocolIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := spawn(t, Command, "--socket", filepath.Join(dir, socketName), "--protocol", "99")
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := connect(t, dir)
	if pid := c.master(); pid == cmd.Process.Pid {
		t.Error("the worker of another protocol was taken")
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the worker of another protocol ended with %v, want by SIGTERM", err)
	}
	c.stop()
}

// stopped reports whether all threads of a process are stopped.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(states) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, path := range states {
		if b, err := os.ReadFile(path); err == nil && !strings.Contains(string(b), ") T ") {
			return false
		}
	}
	return true
}

func TestStoppedWorkerOfAFormerEngineIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := connect(t, dir)
	pid := first.master()
	first.crash()
	sendSignal(t, pid, unix.SIGSTOP)
	// One of its threads may still be answering.
	for !stopped(t, pid) {
		time.Sleep(time.Millisecond)
	}
	second := connect(t, dir)
	if got := second.master(); got == pid {
		t.Error("a stopped worker answers")
	}
	second.stop()
}

func TestDeadStandardErrorDoesNotHurt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe", Command, "--socket", filepath.Join(dir, socketName))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, socketName)); err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the worker does not listen")
		}
	}
	r.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := connect(t, dir)
	c.master()
	c.stop()
	if len(c.heard) != 2 {
		t.Errorf("transitions %v, want one to MASTER and one back", c.heard)
	}
	<-ended
}
