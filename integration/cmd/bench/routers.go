package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// manyRouters are the virtual routers on one interface, and watching is how long
// their advertisements are.
const (
	manyRouters = 250
	watching    = 15 * time.Second
)

// routers measures 250 virtual routers with four addresses each on one
// interface, MASTER of all of them, an advertisement a second each.
func (b *bench) routers() error {
	for range b.trials {
		for _, p := range b.peers {
			if err := b.routersOnce(p); err != nil {
				b.table.lose(p.name(), "250 virtual routers", err)
			}
		}
	}
	return nil
}

func (b *bench) routersOnce(p peer) error {
	n, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer n.Close()
	folder, err := os.MkdirTemp("", "adverts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	r, err := p.start(n, n.A, work{routers: manyRouters})
	if err != nil {
		return err
	}
	for x := range manyRouters {
		last := netip.MustParsePrefix(virtual(x, 3)).Addr()
		if err := n.A.AwaitAddress(last, true, time.Minute); err != nil {
			return err
		}
	}
	time.Sleep(settling)
	// Packets are cut short: else the ring of tcpdump has room for eight, of a burst of 250.
	listener, err := n.Start(n.B, filepath.Join(folder, "log"), "tcpdump", "-tt", "-n", "-l", "--immediate-mode", "-s", "128", "-i", "eth0", "vrrp")
	if err != nil {
		return err
	}
	used, err := cpuOver(r.Process, watching)
	if err != nil {
		return err
	}
	if err := listener.Signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := listener.Wait(10 * time.Second); err != nil {
		return err
	}
	memory, err := r.Memory()
	if err != nil {
		return err
	}
	off := offBeat(listener.Log(), time.Second)
	if want := manyRouters * (int(watching/time.Second) - 5); len(off) < want {
		return fmt.Errorf("%d advertisements heard in %v, want %d", len(off), watching, want)
	}
	const what = "250 virtual routers × 4 addresses at 1 s: "
	b.table.add(what+"processor time in a second", "ms", p.name(), used*1000)
	b.table.add(what+"memory, shared pages divided", "KiB", p.name(), float64(memory.Pss))
	b.table.add(what+"an advertisement is off its second by, 99th percentile", "ms", p.name(), milliseconds(off[len(off)*99/100]))
	b.table.add(what+"an advertisement is off its second by, at most", "ms", p.name(), milliseconds(off[len(off)-1]))
	return r.Kill()
}

var heardAdvert = regexp.MustCompile(`^(\d+\.\d{6}) .*vrid (\d+),`)

// offBeat returns by how much the times between two advertisements of one router
// differ from the interval, in order, from what tcpdump has written.
func offBeat(text string, interval time.Duration) []time.Duration {
	var off []time.Duration
	last := make(map[string]time.Duration)
	for line := range strings.Lines(text) {
		m := heardAdvert.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := time.ParseDuration(m[1] + "s")
		if err != nil {
			continue
		}
		if before, ok := last[m[2]]; ok {
			off = append(off, (at - before - interval).Abs())
		}
		last[m[2]] = at
	}
	slices.Sort(off)
	return off
}
