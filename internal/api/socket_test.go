package api

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.sock")
	first, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ListenSocket(path)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || inUse.Path != path {
		t.Errorf("second socket: %v, want in use by us", err)
	}
	// The refusal took nothing from the first.
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("dial: %v", err)
	} else {
		c.Close()
	}
	if err := first.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	again, err := ListenSocket(path)
	if err != nil {
		t.Fatalf("listen after close: %v", err)
	}
	again.Close()
}

func TestSocketReplacesWhatAKilledDaemonLeft(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := os.WriteFile(path+".lock", []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("socket is %v, %v; want mode 0660", info, err)
	}
}

// TestSocketReplacesNothingElse wants a file in the socket's place to be left there.
func TestSocketReplacesNothingElse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := ListenSocket(path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		if err == nil {
			s.Close()
		}
		t.Errorf("listen: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestClientExplainsWhyNobodyAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ socket, want string }{
		{file, "it is no socket"},
		{filepath.Join(dir, "none.sock"), "no director is running at "},
		{stale, "(it left its socket behind)"},
	}
	for _, test := range tests {
		_, err := NewClient(test.socket).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.socket) {
			t.Errorf("%s: %v, want %q", test.socket, err, test.want)
		}
	}
}
