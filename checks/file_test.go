package checks

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestFileNumber reads what a file holds as a number, however it is written.
func TestFileNumber(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "load")
	const wants = "wanted a whole number from -2147483648 to 2147483647, has "
	tests := []struct {
		content string
		want    int
		reason  string
	}{
		{"7\n", 7, ""},
		{" -12 ", -12, ""},
		{"+3", 3, ""},
		{"", 0, ""},
		{"\n", 0, ""},
		{"2147483647", 2147483647, ""},
		{"2147483648", 0, wants + `"2147483648"`},
		{"0x10", 0, wants + `"0x10"`},
		{"7 of 9", 0, wants + `"7 of 9"`},
		{"1.5", 0, wants + `"1.5"`},
	}
	check := func(name string, want int, reason string) {
		t.Helper()
		seen := runBothWays(t, File{Path: path, Number: true}, 20*time.Second)
		switch {
		case reason != "":
			if seen.OK || seen.Weight != nil || seen.Reason != "file "+path+": "+reason {
				t.Errorf("%s: saw %+v, want %q", name, seen, reason)
			}
		case !seen.OK || seen.Weight == nil || *seen.Weight != want:
			t.Errorf("%s: saw %+v, want %d", name, seen, want)
		}
	}
	check("no file", 0, "")
	for _, tt := range tests {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		check(tt.content, tt.want, tt.reason)
	}
}

// remote is a File on a file system that may keep it waiting.
type remote struct {
	File
	server *server
}

func (r remote) compile() runner { return r.asking(r.server.stat) }

// server answers what it is asked, or nothing while it is gone.
type server struct {
	asked atomic.Int32
	gone  atomic.Pointer[chan struct{}] // until this is closed
}

func (s *server) stat(string) (fs.FileInfo, error) {
	s.asked.Add(1)
	if gone := s.gone.Load(); gone != nil {
		<-*gone
	}
	return nil, nil
}

// TestFileHangs wants a file system that does not answer to be a failure in time, and
// neither asked again while it is one nor waited for.
func TestFileHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, back := NewPool(), new(server), make(chan struct{})
		m := Monitor{Probe: remote{File{Path: "/mnt/ok"}, s}, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 3}
		p.Set(map[Key]Monitor{"ok": m})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		wantResult(t, p, "ok", Unknown, Up)

		s.gone.Store(&back)
		asked := s.asked.Load()
		r := wantResult(t, p, "ok", Up, Down)
		if r.Seen.Reason != "file system of /mnt/ok: no answer in 1s" || r.Seen.Ours {
			t.Errorf("saw %+v", r.Seen)
		}
		if r.Seen.Latency != 0 {
			t.Errorf("the third failure took %v, want none to wait while the first hangs", r.Seen.Latency)
		}
		if n := s.asked.Load() - asked; n != 1 {
			t.Errorf("asked %d times, want once", n)
		}

		s.gone.Store(nil)
		close(back)
		wantResult(t, p, "ok", Down, Up)

		back = make(chan struct{})
		s.gone.Store(&back)
		wantResult(t, p, "ok", Up, Down)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		close(back)
	})
}

// TestLooksWithoutEnd wants no more of them than there is room for, and those for which
// there is none not to be counted.
func TestLooksWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, back := make(looks, 1), make(chan struct{})
		var asked atomic.Int32
		look := func(context.Context) Observation {
			asked.Add(1)
			<-back
			return Observation{OK: true}
		}
		run := func(r runner) Observation {
			ctx, cancel := WithTimeout(t.Context(), time.Second)
			defer cancel()
			return r(ctx)
		}
		one, two := room.bounded("one", look), room.bounded("two", look)
		if seen := run(one); seen.Reason != "one: no answer in 1s" || seen.Ours {
			t.Errorf("saw %+v", seen)
		}
		if seen := run(two); seen.Reason != "two: not asked, as 1 others do not answer" || !seen.Ours || asked.Load() != 1 {
			t.Errorf("saw %+v, and asked %d", seen, asked.Load())
		}
		close(back)
		synctest.Wait()
		for _, r := range []runner{two, one} {
			if seen := run(r); !seen.OK {
				t.Errorf("saw %+v", seen)
			}
		}
	})
}

// FuzzParseHeld: whatever a file holds is a number or a reason, never both.
func FuzzParseHeld(f *testing.F) {
	for _, s := range []string{"", "7\n", "-2147483648", "99999999999", "\x00", "1 2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		seen := parseHeld("/run/load", content)
		if seen.OK != (seen.Reason == "") || seen.OK != (seen.Weight != nil) {
			t.Errorf("%q: saw %+v", content, seen)
		}
	})
}
