// Command bench measures a director side by side with keepalived, by turns in one
// boot of one machine, and writes the table of docs/performance.md:
//
//	make bench
//
// It runs in the guest of package vm, as root. An emulated processor is several
// times slower than a real one, so that the ratios are what counts. What needs no
// IPVS (checks, of which keepalived makes none without it, routers, takeover) can be
// measured on the machine itself:
//
//	make bench-native
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lvs-director/director/integration/vm"
)

// bench is a run of all measurements.
type bench struct {
	peers  []peer
	trials int
	table  table
}

func main() {
	trials := flag.Int("trials", 5, "how often each thing is measured; the table has the medians")
	file := flag.String("file", "performance.md", "the `file` below the output folder; what is measured is replaced in its table")
	only := flag.String("only", "", "what begins so of program, group, reload, checks, routers, punctual, takeover, failover-1s, failover-100ms, failover-10ms")
	flag.Parse()
	if err := run(*trials, *file, *only); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(trials int, file, only string) error {
	out := os.Getenv(vm.OutVariable)
	if out == "" || os.Getenv(vm.ProgramVariable) == "" {
		return fmt.Errorf("this measures in a guest: run make bench, or make bench-native")
	}
	measured := false
	b := &bench{peers: []peer{keepalived{}, director{}}, trials: trials}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"program", b.program}, {"group", b.group}, {"reload", b.reload}, {"checks", b.checks}, {"routers", b.routers}, {"punctual", b.punctual},
		{"takeover", b.takeover},
		{"failover-1s", func() error { return b.failover(time.Second, b.trials) }},
		{"failover-100ms", func() error { return b.failover(100*time.Millisecond, b.trials) }},
		// A third of what is measured is when between two advertisements it happens.
		{"failover-10ms", func() error { return b.failover(10*time.Millisecond, 3*b.trials) }},
	} {
		if !strings.HasPrefix(part.name, only) {
			continue
		}
		measured = true
		started := time.Now()
		if err := part.run(); err != nil {
			return fmt.Errorf("measure %s: %w", part.name, err)
		}
		fmt.Printf("%s took %v\n", part.name, time.Since(started).Round(time.Second))
		if err := b.table.write(filepath.Join(out, file)); err != nil {
			return err
		}
	}
	if !measured {
		return fmt.Errorf("-only %q: nothing to measure begins so", only)
	}
	fmt.Print(b.table.String())
	return nil
}
