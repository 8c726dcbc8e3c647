package vm

import (
	"context"
	"errors"
	"os"
	"regexp"
	"time"
)

// ErrStuck says that one of the guest's processors stands still for good, as an
// emulated one does once in a while: QEMU loses an interrupt that it waits for.
// It says nothing of the steps.
var ErrStuck = errors.New("a processor of the guest stands still")

// lockup is what the kernel writes to its console when one processor has waited
// for another for a minute and more. A guest whose machine was only busy, or
// asleep, writes it for less, and goes on.
var lockup = regexp.MustCompile(`BUG: soft lockup - CPU#\d+ stuck for (\d{3,}|[6-9]\d)s`)

// awaitStuck tells whether the guest has written to its console that it is
// stuck, or that ctx is done.
func awaitStuck(ctx context.Context, console string) bool {
	look := time.NewTicker(5 * time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
			if text, err := os.ReadFile(console); err == nil && lockup.Match(text) {
				return true
			}
		}
	}
}
