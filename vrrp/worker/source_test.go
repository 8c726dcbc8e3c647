package worker

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

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
