package vm

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// runStep runs one step on this machine and returns what it printed.
func runStep(t *testing.T, r *runner, step Step) (stdout, stderr string, exit Exit) {
	t.Helper()
	var wire bytes.Buffer
	r.report, r.inside = &wire, "test"
	if err := r.run(0, step); err != nil {
		t.Fatal(err)
	}
	began, ended := 0, 0
	for {
		e, err := readEvent(&wire)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e.Stream {
		case Stdout:
			stdout += string(e.Data)
		case Stderr:
			stderr += string(e.Data)
		case Began:
			began++
		case Ended:
			ended++
			exit = e.Exit
		}
	}
	if began != 1 || ended != 1 {
		t.Errorf("step began %d times and ended %d times", began, ended)
	}
	return stdout, stderr, exit
}

func TestStep(t *testing.T) {
	tests := []struct {
		name           string
		step           Step
		stdout, stderr string
		status         int
		late, unstart  bool
	}{
		{name: "streams and status", step: Step{Args: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}}, stdout: "out\n", stderr: "err\n", status: 3},
		{name: "environment", step: Step{Args: []string{"sh", "-c", "echo $DIRECTOR_INTEGRATION $X"}, Env: []string{"X=y"}}, stdout: "test y\n"},
		{name: "folder", step: Step{Args: []string{"pwd"}, Dir: "/usr"}, stdout: "/usr\n"},
		{name: "signal", step: Step{Args: []string{"sh", "-c", "kill -9 $$"}}, status: 137},
		{name: "no program", step: Step{Args: []string{"/no/such/program"}}, status: 127, unstart: true},
		{name: "limit", step: Step{Args: []string{"sleep", "60"}, Limit: 10 * time.Millisecond}, status: 124, late: true},
		{name: "left behind", step: Step{Args: []string{"sh", "-c", "sleep 60 & echo done"}}, stdout: "done\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, exit := runStep(t, &runner{}, tt.step)
			if stdout != tt.stdout || stderr != tt.stderr {
				t.Errorf("printed %q and %q, want %q and %q", stdout, stderr, tt.stdout, tt.stderr)
			}
			if exit.Status != tt.status || exit.Late != tt.late || (exit.Error != "") != tt.unstart {
				t.Errorf("ended as %+v", exit)
			}
			if (exit.Err() != nil) != (tt.status != 0) {
				t.Errorf("error %v for status %d", exit.Err(), tt.status)
			}
		})
	}
}

func TestStepOnATerminal(t *testing.T) {
	input, typed := io.Pipe()
	go typed.Write([]byte("hello\n"))
	r := &runner{terminal: &terminal{input: input, rows: 25, columns: 80}}
	out, _, exit := runStep(t, r, Step{Args: []string{"sh", "-c", "test -t 0 && read x && echo got $x && stty size"}})
	if exit.Err() != nil || !strings.Contains(out, "got hello") || !strings.Contains(out, "25 80") {
		t.Errorf("printed %q, ended as %+v", out, exit)
	}
}
