package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/lvs-director/director/integration/vm"
)

// report prints how tests went and remembers what failed.
type report struct {
	out     io.Writer
	verbose bool
	passed  int
	failed  []string // each with its reason
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose}
}

// finish prints the sum and returns the status to exit with.
func (r *report) finish() int {
	if len(r.failed) == 0 {
		fmt.Fprintf(r.out, "ok: %d tests\n", r.passed)
		return 0
	}
	fmt.Fprintf(r.out, "FAIL: %d of %d tests:\n", len(r.failed), r.passed+len(r.failed))
	for _, line := range r.failed {
		fmt.Fprintf(r.out, "  %s\n", line)
	}
	return 1
}

// mark is how far a report had come.
type mark struct{ passed, failed int }

func (r *report) mark() mark { return mark{r.passed, len(r.failed)} }

// reset forgets what came after m.
func (r *report) reset(m mark) { r.passed, r.failed = m.passed, r.failed[:m.failed] }

// testEvent is a line of `go tool test2json`.
type testEvent struct {
	Action, Test, Output string
	Elapsed              float64
}

// add takes one event. Logs are held until it is known whether the test failed.
func (r *report) add(pkg string, logs map[string]*strings.Builder, e testEvent) {
	top, _, isSub := strings.Cut(e.Test, "/")
	if e.Action == "output" {
		if logs[top] == nil {
			logs[top] = &strings.Builder{}
		}
		logs[top].WriteString(e.Output)
		if r.verbose {
			fmt.Fprint(r.out, e.Output)
		}
		return
	}
	if e.Test == "" || (e.Action != "pass" && e.Action != "fail" && e.Action != "skip") {
		return
	}
	switch {
	case e.Action == "skip":
		r.failed = append(r.failed, fmt.Sprintf("%s %s: skipped, which counts as failed here", pkg, e.Test))
	case e.Action == "fail" && !isSub:
		r.failed = append(r.failed, fmt.Sprintf("%s %s", pkg, e.Test))
	case e.Action == "pass" && !isSub:
		r.passed++
	}
	if isSub {
		return
	}
	fmt.Fprintf(r.out, "%8.1f s    %-4s %s\n", e.Elapsed, e.Action, e.Test)
	if log := logs[top]; log != nil && e.Action != "pass" && !r.verbose {
		fmt.Fprint(r.out, log.String())
	}
	delete(logs, top)
}

// watcher follows one test program's output.
type watcher struct {
	report *report
	suite  suite
	input  io.WriteCloser
	cmd    *exec.Cmd
	done   chan struct{}
	seen   map[string]bool             // tests that have ended
	logs   map[string]*strings.Builder // by top-level test; "" is the program's own
	err    error
}

// watch starts to follow a suite's program.
func (r *report) watch(ctx context.Context, s suite) *watcher {
	w := &watcher{report: r, suite: s, done: make(chan struct{}), seen: map[string]bool{}, logs: map[string]*strings.Builder{}}
	w.cmd = exec.CommandContext(ctx, "go", "tool", "test2json", "-t")
	events, err := w.cmd.StdoutPipe()
	if err == nil {
		w.input, err = w.cmd.StdinPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		w.err = fmt.Errorf("start test2json: %w", err)
		close(w.done)
		return w
	}
	go func() {
		defer close(w.done)
		lines := bufio.NewScanner(events)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var e testEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				w.err = fmt.Errorf("read test2json: %w", err)
				return
			}
			if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
				w.seen[e.Test] = true
			}
			r.add(s.pkg, w.logs, e)
		}
		w.err = lines.Err()
	}()
	return w
}

// Write takes what the program printed.
func (w *watcher) Write(data []byte) {
	if w.input != nil {
		w.input.Write(data)
	}
}

// end takes how the program ended. Tests that it never finished have failed.
func (w *watcher) end(exit vm.Exit) {
	if w.input != nil {
		w.input.Close()
	}
	<-w.done
	if w.cmd.Process != nil {
		w.cmd.Wait()
	}
	fail := func(format string, args ...any) {
		w.report.failed = append(w.report.failed, w.suite.pkg+" "+fmt.Sprintf(format, args...))
	}
	if w.err != nil {
		fail("%v", w.err)
	}
	for _, name := range w.suite.tests {
		if !w.seen[name] {
			fail("%s: did not finish: %v", name, exit.Err())
			if log := w.logs[name]; log != nil && !w.report.verbose {
				fmt.Fprint(w.report.out, log.String())
			}
		}
	}
	if len(exit.Left) > 0 {
		fail("left running: %s", strings.Join(exit.Left, ", "))
	}
	if err := exit.Err(); err != nil {
		if log := w.logs[""]; log != nil && !w.report.verbose {
			fmt.Fprint(w.report.out, log.String()) // a panic, for example
		}
		if len(w.report.failed) == 0 {
			fail("%v", err)
		}
	}
}
