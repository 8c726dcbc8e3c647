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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
		b.configure(uint8(200-100*i), interval)
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

// configure is what the box's next engine orders.
func (b *box) configure(priority uint8, interval time.Duration) {
	b.t.Helper()
	o := vrrp.Orders{Config: vrrp.Config{EngineGrace: grace, Groups: []vrrp.Group{{
		Name: "front", Interface: "eth0", RouterID: 51, Version: 3,
		Priority: priority, Interval: interval, Preempt: true, Lease: lease,
		Addresses: []netip.Prefix{netip.MustParsePrefix(virtual + "/24")},
	}}}}
	text, err := json.Marshal(o)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.orders(), text, 0o600); err != nil {
		b.t.Fatal(err)
	}
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
