// Command vmexec runs programs on a kernel that has IPVS: in a virtual machine,
// or on this machine if it can. See package vm for what the guest is like.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/vm"
)

const usage = `usage:
  vmexec prepare                        make this machine able to do the rest
  vmexec exec PROGRAM [ARG...]          run a program; works as go test -exec "vmexec exec"
  vmexec shell [PROGRAM [ARG...]]       run a program, by default bash, on this terminal
  vmexec test [-v] [-run RE] PACKAGE... run all tests with build tag integration in one boot
options before the command:
`

// options are the flags that go before the command.
type options struct {
	limit  time.Duration
	out    string
	native bool
}

// prepare makes the machine that the options ask for.
func (o options) prepare(ctx context.Context) (*vm.Machine, error) {
	if o.native {
		return vm.PrepareNative(ctx, say)
	}
	return vm.Prepare(ctx, say)
}

func main() {
	vm.Guest()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "vmexec: %v\n", err)
	}
	os.Exit(status)
}

// run returns the status to exit with: the program's own, 1 for failed tests,
// 2 for a wrong call, 125 when the machine failed.
func run(ctx context.Context, args []string) (int, error) {
	var opts options
	flags := flag.NewFlagSet("vmexec", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage); flags.PrintDefaults() }
	flags.DurationVar(&opts.limit, "limit", 10*time.Minute, "time for the whole boot")
	flags.StringVar(&opts.out, "out", "", "a `folder` that the guest may write to; it finds its name in $"+vm.OutVariable)
	flags.BoolVar(&opts.native, "native", false, "run on this machine itself, even if its kernel has no IPVS (as root)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0, nil
		}
		return 2, nil // the flag set has said why
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2, nil
	}
	if opts.out != "" {
		path, err := filepath.Abs(opts.out)
		if err == nil {
			err = os.MkdirAll(path, 0o755)
		}
		if err != nil {
			return 2, err
		}
		opts.out = path
	}
	command, rest := flags.Arg(0), flags.Args()[1:]
	switch command {
	case "prepare":
		machine, err := opts.prepare(ctx)
		if err != nil {
			return 125, err
		}
		fmt.Println(machine)
		return 0, nil
	case "exec":
		return execute(ctx, opts, rest)
	case "shell":
		return shell(ctx, opts, rest)
	case "test":
		return test(ctx, opts, rest)
	}
	return 2, fmt.Errorf("no such command: %s", command)
}

// say tells what takes time, apart from what the programs print.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "vmexec: "+format+"\n", args...)
}

// stepHere returns a step that runs args in the present folder, with this
// process's DIRECTOR_ and GO variables.
func stepHere(args []string) (vm.Step, error) {
	if len(args) == 0 {
		return vm.Step{}, errors.New("no program given")
	}
	dir, err := os.Getwd()
	if err != nil {
		return vm.Step{}, err
	}
	if strings.Contains(args[0], "/") {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return vm.Step{}, err
		}
		args = append([]string{path}, args[1:]...)
	}
	var env []string
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "DIRECTOR_") || strings.HasPrefix(kv, "GO") {
			env = append(env, kv)
		}
	}
	return vm.Step{Name: filepath.Base(args[0]), Args: args, Dir: dir, Env: env}, nil
}

// execute runs one program and passes its output and its status on.
func execute(ctx context.Context, opts options, args []string) (int, error) {
	step, err := stepHere(args)
	if err != nil {
		return 2, err
	}
	machine, err := opts.prepare(ctx)
	if err != nil {
		return 125, err
	}
	exits, err := machine.Run(ctx, vm.Job{Steps: []vm.Step{step}, Out: opts.out, Limit: opts.limit}, func(e vm.Event) {
		switch e.Stream {
		case vm.Stdout:
			os.Stdout.Write(e.Data)
		case vm.Stderr:
			os.Stderr.Write(e.Data)
		}
	})
	if err != nil {
		return 125, err
	}
	if exits[0].Error != "" {
		return 127, errors.New(exits[0].Error)
	}
	return exits[0].Status, nil
}
