package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
	"github.com/lvs-director/director/vrrp"
)

func TestRuntimeDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	socket := filepath.Join(dir, socketName)
	c := connect(t, dir)
	pid := c.master()
	for path, want := range map[string]os.FileMode{dir: 0o750 | os.ModeDir, socket: 0o600 | os.ModeSocket, lockPath(socket): 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
	if got := lockHolder(socket); got != pid {
		t.Errorf("process %d is said to hold the lock, want %d", got, pid)
	}
	// No second worker for the same directory.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := listen(ctx, socket, zap.NewNop()); err == nil || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
		t.Errorf("listen = %v, want that process %d holds the lock", err, pid)
	}
	c.stop()
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there after an ordered stop")
	}
}

func TestGarbageOnTheSocketMovesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := connect(t, dir)
	pid := c.master()
	dial := func() net.Conn {
		conn, err := net.Dial("unix", filepath.Join(dir, socketName))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for range 50 {
		dial() // and says nothing
	}
	for _, s := range []string{"\x00", "GET / HTTP/1.1\r\n\r\n", string(framed("{}")), string(framed(`{"command":{"Stop":true}}`)), strings.Repeat("\xff", 1<<20)} {
		conn := dial()
		go io.Copy(io.Discard, conn)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, s) // may fail: it is thrown out before the end
	}
	c.until("another report", func(r vrrp.Report) bool { return len(r.Status) == 1 })
	if got := c.master(); got != pid || len(c.heard) != 1 {
		t.Errorf("worker %d, transitions %v: want still %d and no new transition", got, c.heard, pid)
	}
	c.stop()
}

func TestStrangersAreNotTrusted(t *testing.T) {
	me := os.Geteuid()
	for uid, want := range map[int]bool{me: true, 0: true, me + 1: false, 65534: me == 65534} {
		if err := trust(&unix.Ucred{Uid: uint32(uid)}); (err == nil) != want {
			t.Errorf("trust user %d: %v, want %v", uid, err, want)
		}
	}
}

func TestSocketPathTooLong(t *testing.T) {
	_, err := NewClient(Options{RuntimeDir: "/" + strings.Repeat("x", 120), Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("NewClient = %v, want that the path is too long", err)
	}
}

// TestWorkerGetsWhatItNeeds has an engine without root start a worker: of the
// engine's capabilities it gets those that VRRP needs.
func TestWorkerGetsWhatItNeeds(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root can start a process of another account: nothing tried")
		return
	}
	dir := t.TempDir()
	if err := errors.Join(os.Chown(dir, 1, 1), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	needed := privilege.Grantable(privilege.NetAdmin, privilege.NetRaw, privilege.SysNice, privilege.IPCLock, privilege.SysResource)
	engine := exec.Command("/proc/self/exe", "test-engine", dir)
	engine.Stderr = os.Stderr
	engine.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1},
		AmbientCaps: append(privilege.Grantable(privilege.SetUID, privilege.SetGID), needed...)}
	out, err := engine.StdoutPipe()
	if err == nil {
		err = engine.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Wait() // it stops the worker
	defer engine.Process.Signal(unix.SIGTERM)

	for reports := bufio.NewScanner(out); reports.Scan(); {
		var r vrrp.Report
		if err := json.Unmarshal(reports.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if !r.Connected || len(r.Status) != 1 {
			continue
		}
		status, err := os.ReadFile("/proc/" + r.Status[0].Reason + "/status")
		if err != nil {
			t.Fatal(err)
		}
		var want uint64
		for _, c := range needed {
			want |= 1 << c
		}
		for _, set := range []string{"CapPrm", "CapEff"} {
			if line := fmt.Sprintf("%s:\t%016x\n", set, want); !strings.Contains(string(status), line) {
				t.Errorf("no %q in:\n%s", line, status)
			}
		}
		return
	}
	t.Error("the engine ended")
}
