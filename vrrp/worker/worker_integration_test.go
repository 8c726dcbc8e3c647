//go:build integration

package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/vrrp"
)

const (
	virtual = "192.0.2.100"
	lease   = 3 * time.Second
	grace   = 3 * time.Second
)

var pairs atomic.Int32

// pair is two machines as network namespaces on one cable, each with an engine
// and a worker; box 0 is to be master.
type pair struct {
	t     *testing.T
	boxes [2]*box
}

// box is one of the machines.
type box struct {
	t      *testing.T
	ns     string
	dir    string
	engine *exec.Cmd

	mu    sync.Mutex
	last  vrrp.Report
	heard []vrrp.Transition
}

func newPair(t *testing.T, interval time.Duration) *pair {
	t.Helper()
	p := &pair{t: t}
	id := fmt.Sprintf("w%d-%d", os.Getpid(), pairs.Add(1))
	for i := range p.boxes {
		b := &box{t: t, ns: fmt.Sprintf("%s-%d", id, i), dir: t.TempDir()}
		p.boxes[i] = b
		command(t, "ip", "netns", "add", b.ns)
		t.Cleanup(func() { command(t, "ip", "netns", "del", b.ns) })
		o := vrrp.Orders{Config: vrrp.Config{EngineGrace: grace, Groups: []vrrp.Group{{
			Name: "front", Interface: "eth0", RouterID: 51, Version: 3,
			Priority: uint8(200 - 100*i), Interval: interval, Preempt: true, Lease: lease,
			Addresses: []netip.Prefix{netip.MustParsePrefix(virtual + "/24")},
		}}}}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.orders(), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "ip", "link", "add", "eth0", "netns", p.boxes[0].ns, "type", "veth", "peer", "name", "eth0", "netns", p.boxes[1].ns)
	for i, b := range p.boxes {
		command(t, "ip", "-n", b.ns, "link", "set", "eth0", "up")
		command(t, "ip", "-n", b.ns, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth0")
	}
	for _, b := range p.boxes {
		b.start()
		t.Cleanup(b.end)
	}
	p.settled()
	return p
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (b *box) orders() string { return filepath.Join(b.dir, "orders.json") }

// start starts the box's engine.
func (b *box) start() {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	// ip becomes the engine, so that the process is the engine's own.
	cmd := exec.Command("ip", "netns", "exec", b.ns, self, "test-engine", b.dir, b.orders())
	cmd.Env = append(os.Environ(), realRouter+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.engine = cmd
	b.mu.Lock()
	b.last, b.heard = vrrp.Report{}, nil
	b.mu.Unlock()
	go b.listen(out)
}

// listen takes what one engine prints.
func (b *box) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxFrame)
	for lines.Scan() {
		var r vrrp.Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			b.t.Errorf("engine said %q: %v", lines.Text(), err)
			return
		}
		b.mu.Lock()
		b.last = r
		b.heard = append(b.heard, r.Transitions...)
		b.mu.Unlock()
	}
}

// kill kills the engine and leaves the worker.
func (b *box) kill() {
	b.t.Helper()
	if err := b.engine.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	b.engine.Wait()
}

// end stops engine and worker, whatever has become of them.
func (b *box) end() {
	b.engine.Process.Signal(unix.SIGCONT)
	b.engine.Process.Signal(unix.SIGTERM)
	ended := make(chan struct{})
	go func() { b.engine.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		b.t.Error("the engine does not end")
		b.engine.Process.Kill()
	}
	if pid := lockHolder(filepath.Join(b.dir, socketName)); pid > 0 && exists(pid) {
		b.t.Errorf("worker %d outlived an ordered stop", pid)
		unix.Kill(pid, unix.SIGKILL)
	}
}

// worker returns the worker's process id.
func (b *box) worker() int {
	b.t.Helper()
	pid := lockHolder(filepath.Join(b.dir, socketName))
	if pid == 0 || !exists(pid) {
		b.t.Fatalf("%s has no worker", b.ns)
	}
	return pid
}

func (b *box) signal(pid int, s syscall.Signal) {
	b.t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		b.t.Fatal(err)
	}
}

// holds tells whether the virtual address is on the box.
func (b *box) holds() bool {
	b.t.Helper()
	return strings.Contains(command(b.t, "ip", "-n", b.ns, "-o", "addr", "show", "dev", "eth0"), " "+virtual+"/")
}

// state is what the engine was told last.
func (b *box) state() (s vrrp.Status, connected bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.last.Status) == 1 {
		s = b.last.Status[0]
	}
	return s, b.last.Connected
}

func (b *box) is(want vrrp.State) bool {
	s, connected := b.state()
	return connected && s.State == want
}

// transitions are those the present engine was told.
func (b *box) transitions() []vrrp.Transition {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]vrrp.Transition(nil), b.heard...)
}

// eventually waits until ok and tells how long that took.
func eventually(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// settled waits until box 0 is master, and both engines know.
func (p *pair) settled() {
	p.t.Helper()
	a, b := p.boxes[0], p.boxes[1]
	eventually(p.t, "box 0 is master alone", 30*time.Second, func() bool {
		return a.is(vrrp.Master) && a.holds() && b.is(vrrp.Backup) && !b.holds()
	})
}

func TestKilledWorker(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a := p.boxes[0]
	first := a.worker()
	a.signal(first, unix.SIGKILL)
	took := eventually(t, "another worker", 10*time.Second, func() bool {
		pid := lockHolder(filepath.Join(a.dir, socketName))
		return pid != first && pid != 0 && a.is(vrrp.Master) && a.holds()
	})
	t.Logf("master by another worker after %v", took)
	p.settled()
}

func TestStoppedWorkerLosesItsAddress(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	first := a.worker()
	a.signal(first, unix.SIGSTOP)
	taken := eventually(t, "box 1 is master", 5*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() })
	gone := taken + eventually(t, "the stopped box's address is gone", lease+time.Second-taken, func() bool { return !a.holds() })
	t.Logf("taken over after %v, address gone after %v", taken, gone)
	eventually(t, "the engine says that the worker is silent", 10*time.Second, func() bool { _, c := a.state(); return !c })
	eventually(t, "the hung worker is replaced", 30*time.Second, func() bool {
		return lockHolder(filepath.Join(a.dir, socketName)) != first
	})
	p.settled()
	if exists(first) {
		t.Error("the hung worker was not reaped")
	}
}

func TestStoppedEngineHandsOver(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	worker := a.worker()
	a.signal(a.engine.Process.Pid, unix.SIGSTOP)
	took := eventually(t, "box 1 is master", grace+2*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() && !a.holds() })
	t.Logf("handed over after %v", took)
	// The engine spoke last up to a beat before it was stopped.
	if took < grace-200*time.Millisecond {
		t.Errorf("handed over after %v, want not before %v", took, grace)
	}
	a.signal(a.engine.Process.Pid, unix.SIGCONT)
	p.settled()
	if got := a.worker(); got != worker {
		t.Errorf("worker %d, want still %d", got, worker)
	}
}

func TestKilledEngineKeepsMastership(t *testing.T) {
	p := newPair(t, 100*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	worker, before := a.worker(), len(b.transitions())
	for range 3 {
		a.kill()
		for start := time.Now(); time.Since(start) < grace/2; time.Sleep(5 * time.Millisecond) {
			if !a.holds() {
				t.Fatal("the address left a box that only lost its engine")
			}
		}
		a.start()
		eventually(t, "the next engine knows the master", 5*time.Second, func() bool { return a.is(vrrp.Master) })
		if got := a.transitions(); len(got) > 0 {
			t.Errorf("the next engine heard %v, want no transition", got)
		}
	}
	if got := b.transitions(); len(got) > before {
		t.Errorf("box 1 went through %v while only an engine was killed", got[before:])
	}
	if got := a.worker(); got != worker {
		t.Errorf("worker %d, want still %d", got, worker)
	}

	// Without a successor mastership is given up.
	a.kill()
	took := eventually(t, "box 1 is master", grace+2*time.Second, func() bool { return b.is(vrrp.Master) && !a.holds() })
	t.Logf("handed over after %v without an engine", took)
	a.start()
	p.settled()
}

func TestOrderedStopHandsOver(t *testing.T) {
	p := newPair(t, time.Second)
	a, b := p.boxes[0], p.boxes[1]
	worker := a.worker()
	if err := a.engine.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "box 1 is master", 2*time.Second, func() bool { return b.is(vrrp.Master) && b.holds() })
	if err := a.engine.Wait(); err != nil {
		t.Errorf("engine: %v", err)
	}
	if a.holds() || exists(worker) {
		t.Errorf("after the stop: address %v, worker %v; want neither", a.holds(), exists(worker))
	}
	// Faster than by silence: priority 0 was said (RFC 9568, section 6.4.2).
	if took > 1500*time.Millisecond {
		t.Errorf("handed over after %v, want by priority 0 and not by silence", took)
	}
	t.Logf("handed over after %v", took)
	a.start()
	p.settled()
}

// Beside programs that use all processors, advertisements leave on time: no
// later than a thread of the highest priority that only sleeps, but for a little.
func TestPunctualOnABusyMachine(t *testing.T) {
	p := newPair(t, 10*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	for range 4 {
		burner := exec.Command("sh", "-c", "while :; do :; done")
		if err := burner.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { burner.Process.Kill(); burner.Wait() })
	}
	metronome, err := lab.NewMetronome()
	if err != nil {
		t.Fatal(err)
	}
	defer metronome.Stop()

	// LatenessMax is kept since the start: begin anew.
	began := time.Now()
	first := a.worker()
	a.signal(first, unix.SIGTERM)
	eventually(t, "another worker", 10*time.Second, func() bool {
		pid := lockHolder(filepath.Join(a.dir, socketName))
		return pid != first && pid != 0
	})
	p.settled()
	checkRealTime(t, a.worker())
	start, _ := a.state()
	before := len(b.transitions())
	var s vrrp.Status
	eventually(t, "a thousand advertisements", time.Minute, func() bool {
		s, _ = a.state()
		return s.Stats.Sent > start.Stats.Sent+1000
	})
	still := metronome.Latest(began)
	t.Logf("the latest of %d advertisements was late by %v, the machine itself by %v", s.Stats.Sent, s.LatenessMax, still)
	t.Log(memory(t, a.worker()))
	const margin = 5 * time.Millisecond
	if s.LatenessMax > still+margin {
		t.Errorf("an advertisement was %v late, want at most %v more than the machine's own %v", s.LatenessMax, margin, still)
	}
	// Three intervals and the skew make the other take over.
	if got := b.transitions(); len(got) > before && still < 2*margin {
		t.Errorf("box 1 went through %v, want no transition", got[before:])
	}
}

// checkRealTime checks what a worker of root has made of itself.
func checkRealTime(t *testing.T, pid int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil || attr.Policy != unix.SCHED_RR || attr.Priority != priority {
			t.Errorf("thread %d: %+v, %v; want SCHED_RR %d", tid, attr, err, priority)
		}
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); err != nil || strings.TrimSpace(string(b)) != oomScore {
		t.Errorf("OOM score %q, %v; want %s", b, err, oomScore)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); {
		case name == "VmLck" && value == "0 kB":
			t.Error("no memory is locked")
		case name == "THP_enabled" && value != "0":
			t.Error("the worker uses huge pages")
		}
	}
}

// memory tells what a process has in memory.
func memory(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "Rss") || strings.HasPrefix(line, "Threads") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, ", ")
}
