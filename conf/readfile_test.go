package conf_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lvs-director/director/conf"
)

// TestReadFile wants of what never ends, and of what nobody writes to, an error
// at once.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("text"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sparse, err := os.Create(at("huge"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sparse.Truncate(256<<20 + 1); err != nil {
		t.Fatal(err)
	}
	sparse.Close()
	if err := syscall.Mkfifo(at("pipe.hcl"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"a file", at("text"), ""},
		{"none", at("none"), "no such file"},
		{"a directory", dir, "is a directory"},
		{"a pipe without a writer", at("pipe.hcl"), "pipe.hcl: a named pipe, want a regular file"},
		{"a device without an end", "/dev/zero", "read /dev/zero: a device, want a regular file"},
		{"too large", at("huge"), "268435457 bytes, want at most 268435456"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := conf.ReadFile(tt.path)
			switch {
			case tt.want == "" && (err != nil || string(text) != "x"):
				t.Errorf("got %q, %v", text, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := conf.Load(dir); err == nil || !strings.Contains(err.Error(), "named pipe") {
		t.Errorf("a directory with a pipe: %v", err)
	}
}
