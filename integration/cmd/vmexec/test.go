package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/lvs-director/director/integration/vm"
)

// test builds the packages' integration tests, runs them one after the other in
// one boot, and tells how each went. A skipped test counts as failed: what is
// missing in the guest would otherwise pass unseen.
func test(ctx context.Context, opts options, args []string) (int, error) {
	flags := flag.NewFlagSet("vmexec test", flag.ContinueOnError)
	verbose := flags.Bool("v", false, "print what passing tests log")
	pattern := flags.String("run", "", "only tests that match this regular `expression`")
	limit := flags.Duration("package-limit", 15*time.Minute, "time for each package")
	if err := flags.Parse(args); err != nil {
		return 2, nil
	}
	started := time.Now()
	stage := func(name string) {
		fmt.Printf("%8.1f s  %s\n", time.Since(started).Seconds(), name)
		started = time.Now()
	}
	machine, err := opts.prepare(ctx)
	if err != nil {
		return 125, err
	}
	stage("prepared: " + machine.String())

	dir, err := os.MkdirTemp("", "director-test-")
	if err != nil {
		return 125, err
	}
	defer os.RemoveAll(dir)
	suites, err := build(ctx, dir, flags.Args(), *pattern)
	if err != nil {
		return 1, err
	}
	program, err := director(ctx, dir)
	if err != nil {
		return 1, err
	}
	stage(fmt.Sprintf("built the tests of %d packages", len(suites)))

	report := newReport(os.Stdout, *verbose)
	for boots := 1; len(suites) > 0; boots++ {
		done, err := runSuites(ctx, machine, opts, suites, report, stage, func(s suite) vm.Step {
			return vm.Step{
				Name: s.pkg,
				Dir:  s.dir,
				Args: []string{
					s.binary, "-test.v=test2json", "-test.run=" + s.run,
					"-test.timeout=" + limit.String(), "-test.paniconexit0",
				},
				Env:   []string{vm.ProgramVariable + "=" + program},
				Limit: *limit + time.Minute,
			}
		})
		suites = suites[done:]
		if errors.Is(err, vm.ErrStuck) && boots < maxBoots {
			say("%v: booting another for %s and what follows", err, suites[0].pkg)
			continue
		}
		if err != nil {
			return 125, err
		}
	}
	return report.finish(), nil
}

// maxBoots is how often a guest is booted whose emulator loses a processor.
const maxBoots = 3

// runSuites runs suites in one boot and returns how many it has finished.
func runSuites(ctx context.Context, machine *vm.Machine, opts options, suites []suite, report *report, stage func(string), step func(suite) vm.Step) (done int, err error) {
	job := vm.Job{Out: opts.out, Limit: opts.limit}
	for _, s := range suites {
		job.Steps = append(job.Steps, step(s))
	}
	var current *watcher
	var before mark
	_, err = machine.Run(ctx, job, func(e vm.Event) {
		switch e.Stream {
		case vm.Began:
			if e.Step == 0 {
				stage("booted")
			}
			before = report.mark()
			current = report.watch(ctx, suites[e.Step])
		case vm.Stdout, vm.Stderr:
			current.Write(e.Data)
		case vm.Ended:
			current.end(e.Exit)
			stage("ran " + suites[e.Step].pkg)
			current = nil
			done++
		}
	})
	if current != nil {
		current.end(vm.Exit{Error: "the guest ended"})
		if errors.Is(err, vm.ErrStuck) {
			report.reset(before) // that suite begins anew
		}
	}
	return done, err
}
