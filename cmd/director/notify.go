package main

import (
	"context"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/lvs-director/director/internal/engine"
)

// readyGrace is how long the start waits for a kernel that holds everything
// before systemd is told READY all the same: a row that the kernel refuses must
// not keep the rest from running, and systemd would end a service that never
// gets ready.
const readyGrace = 15 * time.Second

// notify tells systemd, if it started us and asked for it. There is nobody to
// tell if that fails.
func notify(state string) { _, _ = systemd.SdNotify(false, state) }

// notifying is the engine with its reloads announced to systemd.
type notifying struct{ *engine.Engine }

// Reload announces the reload, as sd_notify(3) wants it, and its outcome.
func (n notifying) Reload(ctx context.Context) error {
	notify("RELOADING=1\n" + systemd.SdNotifyMonotonicUsec())
	err := n.Engine.Reload(ctx)
	status := "STATUS="
	if err != nil {
		status = "STATUS=The last reload was refused; the old configuration keeps running."
	}
	notify("READY=1\n" + status)
	return err
}

// keepNotified tells systemd when the daemon is ready, and feeds its watchdog
// for as long as the engine's loop turns.
func keepNotified(ctx context.Context, e *engine.Engine) {
	ready, grace := e.Ready(), time.After(readyGrace)
	var feed <-chan time.Time
	if interval, err := systemd.SdWatchdogEnabled(false); err == nil && interval > 0 {
		ticker := time.NewTicker(interval / 3)
		defer ticker.Stop()
		feed = ticker.C
	}
	var fed time.Time
	for {
		select {
		case <-ready:
			notify("READY=1")
			ready, grace = nil, nil
		case <-grace:
			notify("READY=1\nSTATUS=The kernel does not hold everything yet; see director status.")
			grace = nil
		case <-feed:
			if beat := e.LastBeat(); !beat.Equal(fed) {
				notify("WATCHDOG=1")
				fed = beat
			}
		case <-ctx.Done():
			return
		}
	}
}
