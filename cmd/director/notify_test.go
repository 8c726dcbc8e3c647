package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is the end of systemd: what a daemon tells it.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return &manager{t, conn}
}

// expect reads messages until one begins with the wanted words, and returns it.
// Only the watchdog's may come in between.
func (m *manager) expect(wanted string) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buffer)
		if err != nil {
			m.t.Fatalf("waiting for %q: %v", wanted, err)
		}
		switch text := string(buffer[:n]); {
		case strings.HasPrefix(text, wanted):
			return text
		case text != "WATCHDOG=1":
			m.t.Fatalf("systemd is told %q, want %q", text, wanted)
		}
	}
}

func TestSystemdIsTold(t *testing.T) {
	systemd := newManager(t)
	t.Setenv("WATCHDOG_USEC", "300000")
	r := startDaemon(t, memoryKernel(), "")
	systemd.expect("READY=1")
	systemd.expect("WATCHDOG=1")
	systemd.expect("WATCHDOG=1")

	r.signals <- unix.SIGHUP
	if text := systemd.expect("RELOADING=1\n"); !strings.Contains(text, "MONOTONIC_USEC=") {
		t.Errorf("reload is told as %q", text)
	}
	systemd.expect("READY=1\nSTATUS=")

	writeFile(t, r.config, "broken {{")
	if got := director(t, "reload", "-s", r.socket); got.code != exitFailure {
		t.Errorf("reload: %+v", got)
	}
	systemd.expect("RELOADING=1\n")
	if text := systemd.expect("READY=1\n"); !strings.Contains(text, "STATUS=The last reload was refused") {
		t.Errorf("a refused reload is told as %q", text)
	}

	r.signals <- unix.SIGTERM
	systemd.expect("STOPPING=1")
}
