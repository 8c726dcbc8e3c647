package lab

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Metronome tells whether the machine itself stood still: an emulated processor
// on a busy machine stops for tens of milliseconds, and everything on it does.
// On each processor a thread of the highest real-time priority sleeps for 2 ms
// again and again and notes how late it wakes.
type Metronome struct {
	stop chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	beats []beat
}

// beat is one late awakening.
type beat struct {
	at   time.Time
	late time.Duration
}

// NewMetronome starts to watch.
func NewMetronome() (*Metronome, error) {
	m := &Metronome{stop: make(chan struct{})}
	ready := make(chan error)
	cpus := runtime.NumCPU()
	for cpu := range cpus {
		m.wg.Go(func() { m.watch(cpu, ready) })
	}
	var failed error
	for range cpus {
		if err := <-ready; err != nil {
			failed = err
		}
	}
	if failed != nil {
		m.Stop()
		return nil, fmt.Errorf("start metronome: %w", failed)
	}
	return m, nil
}

func (m *Metronome) watch(cpu int, ready chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	var set unix.CPUSet
	set.Set(cpu)
	err := unix.SchedSetaffinity(0, &set)
	if err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 90}, 0)
	}
	ready <- err
	if err != nil {
		return
	}
	const pause = 2 * time.Millisecond
	sleep := unix.NsecToTimespec(int64(pause))
	for {
		select {
		case <-m.stop:
			return
		default:
		}
		before := time.Now()
		unix.Nanosleep(&sleep, nil)
		after := time.Now()
		if late := after.Sub(before) - pause; late > 3*time.Millisecond {
			m.mu.Lock()
			m.beats = append(m.beats, beat{after, late})
			m.mu.Unlock()
		}
	}
}

// Latest returns by how much it woke too late since then, at most.
func (m *Metronome) Latest(since time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var latest time.Duration
	for _, b := range m.beats {
		if b.at.After(since) {
			latest = max(latest, b.late)
		}
	}
	return latest
}

// Stop ends the watch.
func (m *Metronome) Stop() {
	close(m.stop)
	m.wg.Wait()
}
