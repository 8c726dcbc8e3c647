// Command demo shows a pair of directors at work and tells what happens while it
// happens: traffic by weight, a server that fails and comes back, a master that
// is killed while a connection goes on. Then whoever watches may break things.
//
//	make demo
//
// It runs in the guest of package vm, as root, on the network of package lab.
package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/integration/vm"
)

func main() {
	if os.Getenv(vm.InsideVariable) == "" || os.Getenv(vm.ProgramVariable) == "" {
		fmt.Fprintln(os.Stderr, "demo: this changes the kernel: run make demo")
		os.Exit(1)
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	s, err := newStage(os.Stdout)
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.close(); err == nil {
			err = closing
		}
	}()
	if err := s.story(ctx); err != nil {
		return fmt.Errorf("%w\nthe log of A ends:\n%s\nthe log of B ends:\n%s", err, end(s.a.Log()), end(s.b.Log()))
	}
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err != nil {
		s.say("There is no terminal here, so this is the end.")
		return nil
	}
	return s.converse(ctx, os.Stdin)
}

// end returns the last of a log.
func end(log string) string { return log[max(0, len(log)-1500):] }
