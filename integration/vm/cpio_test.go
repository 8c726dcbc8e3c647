package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestArchiveLayout(t *testing.T) {
	var a archive
	a.dir("dev")
	a.file("init", []byte("12345"))
	got := a.finish()
	if len(got)%4 != 0 {
		t.Errorf("archive of %d bytes is not padded", len(got))
	}
	if want := []byte("070701"); !bytes.HasPrefix(got, want) {
		t.Errorf("archive starts with %q, want %q", got[:6], want)
	}
	// The second header follows the first (110 bytes), "dev" and its NUL (4), padded to 4: 116.
	if second := got[116:]; !bytes.HasPrefix(second, []byte("07070100000002000081ed")) {
		t.Errorf("second entry is %q", second[:22])
	}
	if !bytes.Contains(got, []byte("TRAILER!!!\x00")) {
		t.Error("archive has no trailer")
	}
}

// TestArchiveByCpio lets the system's cpio, where there is one, read what we wrote.
func TestArchiveByCpio(t *testing.T) {
	program, err := exec.LookPath("cpio")
	if err != nil {
		t.Log("no cpio here: nothing compared")
		return
	}
	var a archive
	a.dir("dir")
	a.file("dir/odd", []byte("123"))
	dir := t.TempDir()
	cmd := exec.Command(program, "-idm", "--quiet")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(a.finish())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "dir", "odd"))
	if err != nil || string(got) != "123" {
		t.Errorf("unpacked %q, %v", got, err)
	}
}
