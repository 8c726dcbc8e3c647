package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

const (
	// large × largeReals are reloaded while a pair advertises every briskly.
	large      = 4000
	largeReals = 20
	briskly    = 10 * time.Millisecond
	// standstill is how long the machine may have stood still in a trial that
	// counts, and attempts is how often one that does not count is made again.
	standstill = 15 * time.Millisecond
	attempts   = 10
)

// errLost says that the backup has taken over from a master that was only busy.
var errLost = errors.New("mastership was lost")

// punctual reloads 4,000 × 20 while VRRP advertises every 10 ms. The backup
// counts a master as gone after 36 ms; that it never does is no figure but a
// condition.
func (b *bench) punctual() error {
	n, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer n.Close()
	metronome, err := lab.NewMetronome()
	if err != nil {
		return err
	}
	defer metronome.Stop()
	task := work{virtuals: large, reals: largeReals, pair: pair{interval: briskly, priority: 150}, weight: 1}
	trace, err := lab.NewTrace()
	if err != nil {
		return err
	}
	defer trace.Close()
	master, err := startDirector(n, n.A, task)
	if err != nil {
		return err
	}
	if err := awaitTraced(trace, master.Process, "add_dest", large*largeReals); err != nil {
		return err
	}
	if err := n.A.AwaitAddress(lab.VIP(0), true, time.Minute); err != nil {
		return err
	}
	backup, err := startDirector(n, n.B, work{pair: pair{interval: briskly, priority: 100}})
	if err != nil {
		return err
	}
	if err := backup.AwaitGroup("front", "BACKUP", time.Minute); err != nil {
		return err
	}
	for range b.trials {
		if err := b.reloadPunctually(trace, metronome, master, backup, &task); err != nil {
			return err
		}
	}
	text, err := master.Command("status", "--json")
	if err != nil {
		return err
	}
	var status engine.Status
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	for _, g := range status.VRRP.Groups {
		b.table.add("reload 4,000 × 20 with VRRP at 10 ms: latest advertisement of "+g.Name+" since the start", "ms", "director", milliseconds(g.Late))
	}
	return errors.Join(master.Kill(), backup.Kill())
}

// reloadPunctually makes one trial, again if the machine stood still in it and
// mastership was lost by that.
func (b *bench) reloadPunctually(trace *lab.Trace, metronome *lab.Metronome, master, backup *lab.Director, task *work) error {
	const what = "reload 4,000 × 20 with VRRP at 10 ms"
	var still time.Duration
	for range attempts {
		task.weight++
		began := time.Now()
		took, err := reloadWatched(trace, master, backup, *task)
		still = metronome.Latest(began)
		switch {
		case err == nil:
			b.table.add(what+": until the kernel has it", "ms", "director", milliseconds(took))
			b.table.add(what+": the machine stands still", "ms", "director", milliseconds(still))
			return nil
		case !errors.Is(err, errLost) || still <= standstill:
			return fmt.Errorf("the machine stood still for %v: %w", still, err)
		}
	}
	b.table.lose("director", what, fmt.Sprintf("the machine stood still in each of %d attempts, for %v in the last", attempts, still))
	return nil
}

// reloadWatched has the master reload a changed weight and returns how long it
// took, or errLost.
func reloadWatched(trace *lab.Trace, master, backup *lab.Director, task work) (time.Duration, error) {
	// The master's own status is long: it tells of 80,000 real servers.
	if err := master.Box.AwaitAddress(lab.VIP(0), true, time.Minute); err != nil {
		return 0, err
	}
	if err := backup.AwaitGroup("front", "BACKUP", time.Minute); err != nil {
		return 0, err
	}
	if err := master.Configure(director{}.config(task)); err != nil {
		return 0, err
	}
	before, err := trace.Count()
	if err != nil {
		return 0, err
	}
	moves := moved(master) + moved(backup)
	began := time.Now()
	if err := master.Signal(syscall.SIGHUP); err != nil {
		return 0, err
	}
	if err := awaitTraced(trace, master.Process, "edit_dest", before["edit_dest"]+1); err != nil {
		return 0, err
	}
	took := time.Since(began)
	time.Sleep(time.Second) // what the reload left to do
	if n := moved(master) + moved(backup) - moves; n > 0 {
		return 0, fmt.Errorf("%w: %d changes of state: %s", errLost, n, lastBytes(backup.Log(), 1000))
	}
	return took, nil
}

// moved counts the changes of state that a director has told of.
func moved(d *lab.Director) int { return strings.Count(d.Log(), "group changed its state") }

// startDirector starts a director with the work.
func startDirector(n *lab.Network, box *lab.Namespace, w work) (*lab.Director, error) {
	d, err := n.NewDirector(box)
	if err == nil {
		err = d.Configure(director{}.config(w))
	}
	if err == nil {
		err = d.Start()
	}
	return d, err
}
