package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
)

func level() zap.AtomicLevel { return zap.NewAtomicLevelAt(zapcore.InfoLevel) }

func TestConsoleLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, _, err := New(Options{Format: "console", Level: level(), Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("unseen")
	log.Warn("real", zap.String("virtual_server", "web"), zap.String("to", "down"))
	want := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ WARN  real \{"virtual_server": "web", "to": "down"\}\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("line %q", out.String())
	}
}

func TestJSONLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, _, err := New(Options{Format: "json", Level: level(), Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("role", zap.String("group", "front"))
	var line struct {
		Time       time.Time
		Level, Msg string
		Group      string
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != "info" || line.Msg != "role" || line.Group != "front" || line.Time.IsZero() {
		t.Errorf("%q: %+v, %v", out.String(), line, err)
	}
}

func TestLevelChangesAtRunTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	atomic := level()
	log, _, err := New(Options{Format: "json", Level: atomic, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	atomic.SetLevel(zapcore.DebugLevel)
	log.Debug("seen")
	if !strings.Contains(out.String(), "seen") {
		t.Errorf("log %q", out.String())
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	if _, _, err := New(Options{Format: "xml", Level: level(), Stderr: &bytes.Buffer{}}); err == nil {
		t.Error("format xml was taken")
	}
}

// In the journal a line begins with its priority and leaves the time to it.
func TestJournalLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stream")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	log, _, err := New(Options{Format: "console", Level: level(), Stderr: f})
	if err != nil {
		t.Fatal(err)
	}
	log.Error("apply")
	log.Info("start")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "<3>ERROR apply\n<6>INFO start\n"; string(text) != want {
		t.Errorf("log %q, want %q", text, want)
	}
	if other, err := os.Create(path + "2"); err != nil || IsJournal(other) {
		t.Errorf("another file is taken for the journal (%v)", err)
	}
}

func TestPriorities(t *testing.T) {
	t.Parallel()
	want := map[zapcore.Level]int{
		zapcore.DebugLevel: 7, zapcore.InfoLevel: 6, zapcore.WarnLevel: 4, zapcore.ErrorLevel: 3, zapcore.PanicLevel: 2,
	}
	for l, n := range want {
		if got := priority(l); got != n {
			t.Errorf("priority of %v is %d, want %d", l, got, n)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, f *File, line string) {
	t.Helper()
	if _, err := f.Write([]byte(line)); err != nil {
		t.Fatal(err)
	}
}

func TestFileFollowsItsName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log", "director.log")
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		write(t, f, "one\n")

		// Renamed without a word: noticed at the next look.
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		write(t, f, "two\n")
		time.Sleep(lookInterval)
		write(t, f, "three\n")
		if got := read(t, path+".1") + "|" + read(t, path); got != "one\ntwo\n|three\n" {
			t.Errorf("after a silent rotation: %q", got)
		}

		// Renamed and told: at once.
		if err := os.Rename(path, path+".2"); err != nil {
			t.Fatal(err)
		}
		f.Reopen()
		write(t, f, "four\n")
		if got := read(t, path+".2") + "|" + read(t, path); got != "three\n|four\n" {
			t.Errorf("after an announced rotation: %q", got)
		}

		// The name cannot be opened: lines go on in the old file.
		if err := os.Rename(path, path+".3"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		f.Reopen()
		write(t, f, "five\n")
		if got := read(t, path+".3"); got != "four\nfive\n" {
			t.Errorf("with the name taken: %q", got)
		}
	})
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log", "director.log")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}
