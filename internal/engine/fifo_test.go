package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp"
)

func TestFIFOLines(t *testing.T) {
	web := ipvsctl.ServiceID{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	six := ipvsctl.ServiceID{Protocol: ipvsctl.UDP, Addr: netip.MustParseAddrPort("[2001:db8::1]:53")}
	mark := ipvsctl.ServiceID{FWMark: 7, Family: ipvsctl.IPv4}
	e := &Engine{byName: map[string]*service{
		"web":  {vs: &conf.VirtualServer{Services: []ipvsctl.Service{{ID: web}, {ID: six}}}},
		"mark": {vs: &conf.VirtualServer{Services: []ipvsctl.Service{{ID: mark}}}},
	}}
	e.roles.config = vrrp.Config{
		Groups: []vrrp.Group{{Name: "a", Priority: 150}, {Name: "b", Priority: 100}, {Name: "c", Priority: 90}},
	}
	e.roles.priorities = map[string]uint8{"b": 80}
	role := func(group, sync string, from, to vrrp.State) Event {
		ev := Event{Kind: KindRole, Group: group, SyncGroup: sync, To: to.String()}
		if from != 0 {
			ev.From = from.String()
		}
		return ev
	}
	tests := []struct {
		ev   func() Event
		want string
	}{
		{func() Event { return role("a", "", 0, vrrp.Initialize) }, ""},
		{func() Event { return role("", "both", 0, vrrp.Initialize) }, ""},
		{func() Event { return role("a", "", vrrp.Initialize, vrrp.Backup) }, "INSTANCE \"a\" BACKUP 150\n"},
		{func() Event { return role("b", "", vrrp.Initialize, vrrp.Backup) }, "INSTANCE \"b\" BACKUP 80\n"},
		{func() Event { return role("", "both", vrrp.Initialize, vrrp.Backup) }, "GROUP \"both\" BACKUP 0\n"},
		{func() Event { return role("c", "", vrrp.Initialize, vrrp.Fault) }, "INSTANCE \"c\" FAULT 90\n"},
		{func() Event { return role("b", "", vrrp.Backup, vrrp.Master) }, "INSTANCE \"b\" MASTER 80\n"},
		{func() Event { return role("", "both", vrrp.Backup, vrrp.Master) }, "GROUP \"both\" MASTER 0\n"},
		{func() Event { return role("b", "", vrrp.Master, vrrp.Initialize) }, "INSTANCE \"b\" STOP 80\n"},
		{func() Event { return role("", "both", vrrp.Master, vrrp.Initialize) }, "GROUP \"both\" STOP 0\n"},
		{func() Event { return Event{Kind: KindRole, To: "disconnected"} }, ""},
		{func() Event { return Event{Kind: KindQuorum, VirtualServer: "web", To: "up"} }, "VS [192.0.2.1]:tcp:80 UP\nVS [2001:db8::1]:udp:53 UP\n"},
		{func() Event { return Event{Kind: KindQuorum, VirtualServer: "mark", To: "down"} }, "VS FWM 7 DOWN\n"},
		{func() Event { return Event{Kind: KindQuorum, VirtualServer: "gone", To: "down"} }, ""},
		{func() Event {
			return Event{Kind: KindReal, VirtualServer: "web", RealServer: "10.0.0.1:8080", To: "down"}
		},
			"RS [10.0.0.1]:tcp:8080 [192.0.2.1]:tcp:80 DOWN\nRS [10.0.0.1]:udp:8080 [2001:db8::1]:udp:53 DOWN\n"},
		{func() Event { return Event{Kind: KindReal, VirtualServer: "mark", RealServer: "10.0.0.1:0", To: "up"} }, "RS [10.0.0.1]:none:0 FWM 7 UP\n"},
		{func() Event {
			return Event{Kind: KindReal, VirtualServer: "web", RealServer: "10.0.0.1:80", To: "removed"}
		}, ""},
		{func() Event { return Event{Kind: KindCheck, VirtualServer: "web", To: "up"} }, ""},
	}
	for i, test := range tests {
		lines, of := e.fifoLines(test.ev())
		if diff := cmp.Diff(test.want, strings.Join(lines, "")); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
		if want := (conf.FIFOSubjects{VRRP: strings.HasPrefix(test.want, "I") || strings.HasPrefix(test.want, "G"), Services: strings.HasPrefix(test.want, "VS") || strings.HasPrefix(test.want, "RS")}); of != want {
			t.Errorf("event %d is about %+v, want %+v", i, of, want)
		}
	}
}

// pipe is a pipe without an engine that runs, and what has it written to.
func pipe(t *testing.T, path string) (e *Engine, f *fifo, told chan Event, start func()) {
	told = make(chan Event, 8)
	f = newFIFO(conf.FIFO{Path: path}, told)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return New(Options{Config: &conf.Config{}, Log: zap.NewNop()}), f, told, func() { go f.write(ctx) }
}

// Lines come in their order to a reader that comes later; one that is absent
// holds up nothing, and what finds no room is counted.
func TestFIFOWithoutReader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	e, f, _, start := pipe(t, path)
	line := func(i int) string { return fmt.Sprintf("%0100d\n", i) }
	const all = 3000
	for i := range all {
		e.addLines(f, []string{line(i)})
	}
	if f.dropped.Load() != all-fifoQueueSize || !f.full {
		t.Errorf("%d lines are dropped, full: %v", f.dropped.Load(), f.full)
	}
	if n := len(e.Journal().Recent(-1)); n != 1 {
		t.Errorf("dropping is told %d times", n)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, os.O_RDWR, 0) // else a reader before the writer would read an end at once
	if err != nil {
		t.Fatal(err)
	}
	close(f.lines)
	start()
	readAll(t, path)
	<-f.done
	other.Close()
	kept := int(f.written.Load())
	if kept != fifoQueueSize || kept+int(f.dropped.Load()) != all {
		t.Errorf("%d written, %d dropped of %d", kept, f.dropped.Load(), all)
	}
}

// readAll has a pipe read until its writer has closed it, and at the end of the
// test checks that no line was out of order.
func readAll(t *testing.T, path string) {
	in, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan []string)
	go func() {
		var lines []string
		for s := bufio.NewScanner(in); s.Scan(); {
			lines = append(lines, s.Text())
		}
		read <- lines
	}()
	t.Cleanup(func() {
		if lines := <-read; len(lines) == 0 || !slices.IsSorted(lines) {
			t.Errorf("%d lines, or not in order", len(lines))
		}
		in.Close()
	})
}

// A pipe that another program has made anew is opened anew.
func TestFIFOMadeAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	e, f, _, start := pipe(t, path)
	start()
	for _, line := range []string{"one\n", "two\n"} {
		if err := os.Remove(path); err != nil && line == "two\n" {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		e.addLines(f, []string{line})
		buf := make([]byte, 16)
		if n, err := in.Read(buf); err != nil || string(buf[:n]) != line {
			t.Errorf("read %q, %v", buf[:n], err)
		}
		in.Close()
	}
	// So it is when the old one is full, whose reader has gone.
	fill(t, path)
	e.addLines(f, []string{"full\n"})
	for len(f.lines) > 0 {
		runtime.Gosched()
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := in.SetReadDeadline(time.Now().Add(10 * fifoPatience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := in.Read(buf); err != nil || string(buf[:n]) != "full\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	// One that is gone is made by the daemon.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	e.addLines(f, []string{"three\n"})
	close(f.lines)
	<-f.done
	if is, err := os.Lstat(path); err != nil || is.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("at the path: %v, %v; want a named pipe of our own", is, err)
	}
}

// fill leaves no room for a byte in a pipe.
func fill(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for size := 4096; size > 0; size /= 2 {
		for err = error(nil); err == nil; {
			_, err = unix.Write(fd, make([]byte, size))
		}
		if !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
	}
}

// A path at which something else is, is told of once, and nothing is written to it.
func TestFIFONoPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, f, told, start := pipe(t, path)
	start()
	e.addLines(f, []string{"one\n", "two\n"})
	close(f.lines)
	<-f.done
	if got := (<-told).Error; got != "notify_fifo: "+path+" is there already, and no named pipe" || len(told) > 0 {
		t.Errorf("told %q, and %d more", got, len(told))
	}
	if is, _ := os.ReadFile(path); string(is) != "precious" || f.dropped.Load() != 2 {
		t.Errorf("the file holds %q, %d dropped", is, f.dropped.Load())
	}
}

// The daemon writes to its pipes what happens, also the stop; the reader finds
// it all.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		vs := w.checked(pool(1, remove))
		w.config.VirtualServers = []*conf.VirtualServer{vs}
		w.group()
		w.config.FIFOs = []conf.FIFO{{Path: path, Of: conf.FIFOSubjects{VRRP: true, Services: true}}}
		w.config.Groups[0].Hooks = map[string]conf.Hook{"backup": {
			Command: checks.Command{Argv: []string{"/bin/echo", "told"}}, Timeout: time.Minute, Keepalived: true,
		}}
		w.start()
		w.becomes(vrrp.Initialize, vrrp.Backup)
		w.after(2 * time.Second)
		w.router.onStop = func() {
			w.router.reports <- vrrp.Report{Connected: true, Transitions: []vrrp.Transition{{Group: "front", From: vrrp.Backup, To: vrrp.Initialize}}}
		}
		w.stop(errSignal)
		if got := w.events(KindHook); len(got) != 1 || got[0] != "front >BACKUP told INSTANCE front BACKUP 150" {
			t.Errorf("the hook: %q", got)
		}
	})
	buf := make([]byte, 4096)
	n, err := in.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(buf[:n]), "\n"), "\n")
	address := func(a netip.AddrPort) string { return fmt.Sprintf("[%s]:tcp:%d", a.Addr(), a.Port()) }
	vs := pool(1, remove)
	service, real := address(vs.Services[0].ID.Addr), address(vs.Reals[0].Address())
	want := []string{`INSTANCE "front" BACKUP 150`, `INSTANCE "front" STOP 150`, "RS " + real + " " + service + " UP", "VS " + service + " UP"}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
