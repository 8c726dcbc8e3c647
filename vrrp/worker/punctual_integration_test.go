//go:build integration

package worker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/vrrp"
)

// Beside programs that use all processors, advertisements leave on time: no
// later than a thread of the highest priority that only sleeps, but for a little.
func TestPunctualOnABusyMachine(t *testing.T) {
	p := newPair(t, 10*time.Millisecond)
	a, b := p.boxes[0], p.boxes[1]
	for range 4 {
		burner := exec.Command("sh", "-c", "while :; do :; done")
		if err := burner.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { burner.Process.Kill(); burner.Wait() })
	}
	metronome, err := lab.NewMetronome()
	if err != nil {
		t.Fatal(err)
	}
	defer metronome.Stop()

	// LatenessMax is kept since the start: begin anew.
	began := time.Now()
	first := a.worker()
	a.signal(first, unix.SIGTERM)
	eventually(t, "another worker", 10*time.Second, func() bool {
		pid := lockHolder(filepath.Join(a.dir, socketName))
		return pid != first && pid != 0
	})
	p.settled()
	checkRealTime(t, a.worker())
	start, _ := a.state()
	before := len(b.transitions())
	var s vrrp.Status
	eventually(t, "a thousand advertisements", time.Minute, func() bool {
		s, _ = a.state()
		return s.Stats.Sent > start.Stats.Sent+1000
	})
	still := metronome.Latest(began)
	t.Logf("the latest of %d advertisements was late by %v, the machine itself by %v", s.Stats.Sent, s.LatenessMax, still)
	t.Log(memory(t, a.worker()))
	const margin = 5 * time.Millisecond
	if s.LatenessMax > still+margin {
		t.Errorf("an advertisement was %v late, want at most %v more than the machine's own %v", s.LatenessMax, margin, still)
	}
	// Three intervals and the skew make the other take over.
	if got := b.transitions(); len(got) > before && still < 2*margin {
		t.Errorf("box 1 went through %v, want no transition", got[before:])
	}
}

// checkRealTime checks what a worker of root has made of itself.
func checkRealTime(t *testing.T, pid int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil || attr.Policy != unix.SCHED_RR || attr.Priority != priority {
			t.Errorf("thread %d: %+v, %v; want SCHED_RR %d", tid, attr, err, priority)
		}
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); err != nil || strings.TrimSpace(string(b)) != oomScore {
		t.Errorf("OOM score %q, %v; want %s", b, err, oomScore)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); {
		case name == "VmLck" && value == "0 kB":
			t.Error("no memory is locked")
		case name == "THP_enabled" && value != "0":
			t.Error("the worker uses huge pages")
		}
	}
}

// memory tells what a process has in memory.
func memory(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "Rss") || strings.HasPrefix(line, "Threads") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, ", ")
}
