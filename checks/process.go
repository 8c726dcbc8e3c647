package checks

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Process is up when a program runs on this machine, often enough.
type Process struct {
	Name string // of the program: the last part of its first argument, as ps shows it
	Min  int    // how many must run; 0 is 1
	Max  int    // how many may; 0 is any number
}

// Kind returns "process".
func (Process) Kind() string { return "process" }

// Key implements Probe.
func (p Process) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p Process) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p Process) compile() runner { return p.among("/proc") }

// among looks through a directory like /proc. The kernel reads an argument out of the
// process's memory, and waits while that is locked.
func (p Process) among(proc string) runner {
	return fileLooks.bounded(proc, func(ctx context.Context) Observation { return p.count(ctx, proc) })
}

func (p Process) count(ctx context.Context, proc string) Observation {
	paths, err := filepath.Glob(filepath.Join(proc, "[1-9]*", "cmdline"))
	if err != nil || len(paths) == 0 {
		return Observation{Reason: "cannot list processes in " + proc, Ours: true}
	}
	n := 0
	for _, path := range paths {
		if ctx.Err() != nil {
			return Observation{} // nobody waits any more
		}
		// A process that has ended meanwhile, and a kernel thread, has none.
		line, err := os.ReadFile(path)
		if err != nil || len(line) == 0 {
			continue
		}
		program, _, _ := bytes.Cut(line, []byte{0})
		if filepath.Base(string(program)) == p.Name {
			n++
		}
	}
	status := fmt.Sprintf("%d running", n)
	switch {
	case n < max(p.Min, 1):
		return Observation{Status: status, Reason: fmt.Sprintf("process %s: %d of at least %d running", p.Name, n, max(p.Min, 1))}
	case p.Max > 0 && n > p.Max:
		return Observation{Status: status, Reason: fmt.Sprintf("process %s: %d running, at most %d wanted", p.Name, n, p.Max)}
	}
	return Observation{OK: true, Status: status}
}
