package checks

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestProcess(t *testing.T) {
	proc := t.TempDir()
	for i, line := range []string{
		"/usr/sbin/named\x00-f\x00", "named\x00", "/opt/named-checkzone\x00", "python3\x00/usr/bin/named\x00", "", "sh\x00-c\x00named\x00",
	} {
		dir := filepath.Join(proc, strconv.Itoa(i+1))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cmdline"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(proc, "99"), 0o700); err != nil { // it has just ended
		t.Fatal(err)
	}
	tests := []struct {
		name string
		p    Process
		want Observation
	}{
		{"runs", Process{Name: "named"}, Observation{OK: true, Status: "2 running"}},
		{"often enough", Process{Name: "named", Min: 2, Max: 2}, Observation{OK: true, Status: "2 running"}},
		{"not often enough", Process{Name: "named", Min: 3}, Observation{Status: "2 running", Reason: "process named: 2 of at least 3 running"}},
		{"too often", Process{Name: "named", Max: 1}, Observation{Status: "2 running", Reason: "process named: 2 running, at most 1 wanted"}},
		{"not at all", Process{Name: "unbound"}, Observation{Status: "0 running", Reason: "process unbound: 0 of at least 1 running"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.p.count(t.Context(), proc); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	if got := (Process{Name: "named"}).count(t.Context(), t.TempDir()); !got.Ours {
		t.Errorf("without processes it is not our fault: %+v", got)
	}
	self, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range self {
		if b == 0 {
			self = self[:i]
			break
		}
	}
	if got := (Process{Name: filepath.Base(string(self))}).Run(t.Context()); !got.OK || got.Latency <= 0 {
		t.Errorf("this test does not run: %+v", got)
	}
}

// TestProcessHangs looks at a process whose arguments cannot be read, nor waited for.
func TestProcessHangs(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	line := filepath.Join(proc, "1", "cmdline")
	if err := os.Mkdir(filepath.Dir(line), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(line, 0o600); err != nil { // which nobody writes to
		t.Fatal(err)
	}
	run := Process{Name: "named"}.among(proc)
	for _, limit := range []time.Duration{300 * time.Millisecond, time.Hour} { // the second does not look
		ctx, cancel := WithTimeout(t.Context(), limit)
		seen := run(ctx)
		cancel()
		if want := proc + ": no answer in " + limit.String(); seen.OK || seen.Ours || seen.Reason != want {
			t.Errorf("saw %+v, want %q", seen, want)
		}
	}
	end, err := os.OpenFile(line, os.O_WRONLY, 0) // the one that looks goes on
	if err != nil {
		t.Fatal(err)
	}
	end.Close()
}
