package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/vm"
)

// shell runs one program on this terminal. Without a terminal it runs like
// execute, and the program sees that by itself.
func shell(ctx context.Context, opts options, args []string) (int, error) {
	if len(args) == 0 {
		args = []string{"/bin/bash"}
	}
	step, err := stepHere(args)
	if err != nil {
		return 2, err
	}
	stdin := int(os.Stdin.Fd())
	before, err := unix.IoctlGetTermios(stdin, unix.TCGETS)
	if err != nil {
		return execute(ctx, opts, args)
	}
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return execute(ctx, opts, args)
	}
	machine, err := opts.prepare(ctx)
	if err != nil {
		return 125, err
	}
	raw := *before
	// As cfmakeraw(3), but output stays as it is: the guest's terminal has dealt with it.
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Oflag &^= unix.OPOST
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(stdin, unix.TCSETS, &raw); err != nil {
		return 1, err
	}
	defer unix.IoctlSetTermios(stdin, unix.TCSETS, before)
	exits, err := machine.Run(ctx, vm.Job{
		Steps: []vm.Step{step}, Out: opts.out, Limit: opts.limit,
		Terminal: os.Stdin, Rows: size.Row, Columns: size.Col,
	}, func(e vm.Event) { os.Stdout.Write(e.Data) })
	if err != nil {
		return 125, err
	}
	if exits[0].Error != "" {
		return 127, errors.New(exits[0].Error)
	}
	return exits[0].Status, nil
}
