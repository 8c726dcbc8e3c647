//go:build integration

package vrrp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wireNo makes the names of namespaces unique.
var wireNo atomic.Int32

// wire is two machines as network namespaces, joined by one cable, eth0.
type wire struct {
	t    *testing.T
	a, b string
}

// newWire makes the machines 192.0.2.1 and 192.0.2.2.
func newWire(t *testing.T) *wire {
	t.Helper()
	id := fmt.Sprintf("vrrp%d-%d-", os.Getpid(), wireNo.Add(1))
	w := &wire{t: t, a: id + "a", b: id + "b"}
	for _, n := range []string{w.a, w.b} {
		w.ip("netns", "add", n)
		t.Cleanup(func() { w.ip("netns", "del", n) })
	}
	w.ip("link", "add", "eth0", "netns", w.a, "type", "veth", "peer", "name", "eth0", "netns", w.b)
	for i, n := range []string{w.a, w.b} {
		w.ip("-n", n, "link", "set", "lo", "up")
		// Duplicate address detection would keep the link-local address back for a second or two.
		w.run("ip", "netns", "exec", n, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
		w.ip("-n", n, "link", "set", "eth0", "up")
		w.ip("-n", n, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth0")
	}
	for _, n := range []string{w.a, w.b} {
		w.eventually("the kernel gives the interface its link-local address", starting, func() bool {
			return strings.Contains(w.ip("-n", n, "-6", "route", "show", "dev", "eth0"), "fe80::/64")
		})
	}
	return w
}

func (w *wire) ip(args ...string) string { w.t.Helper(); return w.run("ip", args...) }

func (w *wire) run(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// has tells whether a machine's eth0 has an address.
func (w *wire) has(ns, address string) bool {
	w.t.Helper()
	return strings.Contains(w.ip("-n", ns, "-o", "addr", "show", "dev", "eth0"), " "+address+" ")
}

// eventually waits until a condition holds and tells how long that took.
func (w *wire) eventually(what string, limit time.Duration, cond func() bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	for !cond() {
		if time.Since(start) > limit {
			w.t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

// never watches that a condition does not hold for a while.
func (w *wire) never(what string, d time.Duration, cond func() bool) {
	w.t.Helper()
	for start := time.Now(); time.Since(start) < d; time.Sleep(5 * time.Millisecond) {
		if cond() {
			w.t.Fatalf("after %s: %s", time.Since(start), what)
		}
	}
}

// process is a program in a namespace.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	log  lockedBuffer
	done chan struct{}

	mu   sync.Mutex
	last map[string]Status
}

// lockedBuffer is what a program wrote, readable while it writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a program in a namespace and ends it with the test.
func (w *wire) start(ns string, env []string, name string, args ...string) *process {
	w.t.Helper()
	p := &process{t: w.t, done: make(chan struct{}), last: make(map[string]Status)}
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", ns, name}, args...)...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.read(out)
		_ = p.cmd.Wait()
	}()
	w.t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		if w.t.Failed() {
			w.t.Logf("%s in %s wrote:\n%s", filepath.Base(name), ns, p.log.String())
		}
	})
	return p
}

// read takes a router's reports, or anything else into the log.
func (p *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Report
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			fmt.Fprintln(&p.log, lines.Text())
			continue
		}
		p.mu.Lock()
		for _, s := range r.Status {
			p.last[s.Group] = s
		}
		p.mu.Unlock()
	}
}

// signal sends a signal to the program and its children.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// status is what a router last said of a group.
func (p *process) status(group string) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[group]
}

// order sends a router a command.
func (p *process) order(c Command) {
	p.t.Helper()
	if err := json.NewEncoder(p.in).Encode(c); err != nil {
		p.t.Fatal(err)
	}
}

// director starts a Router in a namespace.
func (w *wire) director(ns string, o Orders) *process {
	w.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.start(ns, []string{helperEnv + "=" + string(b)}, self)
}

// keepalived starts keepalived in a namespace with one instance like the group.
func (w *wire) keepalived(ns string, g Group, extra ...string) *process {
	w.t.Helper()
	dir := w.t.TempDir()
	text := []string{
		"global_defs {", " router_id test", "}",
		"vrrp_instance " + g.Name + " {", " state BACKUP", " interface " + g.Interface,
		fmt.Sprintf(" virtual_router_id %d", g.RouterID), fmt.Sprintf(" priority %d", g.Priority),
		fmt.Sprintf(" version %d", g.Version), fmt.Sprintf(" advert_int %g", g.Interval.Seconds()),
	}
	if !g.Preempt {
		text = append(text, " nopreempt")
	}
	text = append(text, extra...)
	text = append(text, " virtual_ipaddress {")
	for _, p := range g.Addresses {
		text = append(text, "  "+p.String())
	}
	text = append(text, " }", "}", "")
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(strings.Join(text, "\n")), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.start(ns, nil, "keepalived", "-n", "-l", "-G", "-P", "-f", conf,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"))
}

// speaks tells whether keepalived has reached the state that it starts in.
func (p *process) speaks() bool { return strings.Contains(p.log.String(), "BACKUP STATE") }

// addressesUp tells whether a machine has all of a group's addresses.
func (w *wire) addressesUp(ns string, g Group) bool {
	w.t.Helper()
	return !slices.ContainsFunc(g.Addresses, func(p netip.Prefix) bool { return !w.has(ns, p.String()) })
}

// addressesOff tells whether it has none.
func (w *wire) addressesOff(ns string, g Group) bool {
	w.t.Helper()
	return !slices.ContainsFunc(g.Addresses, func(p netip.Prefix) bool { return w.has(ns, p.String()) })
}

// emptyNamespace moves the test into a network namespace of its own, and returns a
// handle on it.
func emptyNamespace(t *testing.T) *netlink.Handle {
	t.Helper()
	// Not unlocked: the namespace ends with the thread, and that with the test.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// addDummy makes a link in the namespace of the handle.
func addDummy(t *testing.T, h *netlink.Handle, name string) link {
	t.Helper()
	if err := h.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
		t.Fatal(err)
	}
	return setUp(t, h, name)
}

// setUp sets a link of the namespace of the handle up.
func setUp(t *testing.T, h *netlink.Handle, name string) link {
	t.Helper()
	l, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkSetUp(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	return link{index: l.Attrs().Index, name: name, mac: l.Attrs().HardwareAddr}
}
