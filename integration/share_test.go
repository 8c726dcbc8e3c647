//go:build integration

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// weighted is a pool of echoes.
func weighted(more string, servers int, weight int) string {
	config := "virtual_server \"echo\" {\n  address = \"10.0.0.100:7\"\n  protocol = \"udp\"\n  scheduler = \"wrr\"\n  " + more + onTheWeb
	for i := range servers {
		config += fmt.Sprintf("  real_server %q { weight = %d }\n", echo(i+1), weight)
	}
	return config + "}\n"
}

// shares has so many clients ask and returns who answered how often.
func shares(t *testing.T, n *lab.Network, asks int) map[string]int {
	t.Helper()
	by := map[string]int{}
	for range asks {
		by[askNew(t, n, at(7))]++
	}
	return by
}

// weightOf returns the weight of a server's echo in the kernel, -1 if it has none.
func weightOf(t *testing.T, n *lab.Network, server int) int {
	t.Helper()
	row, err := n.A.Row("-a", echo(server))
	must(t, err)
	fields := strings.Fields(row)
	i := slices.Index(fields, "-w")
	if i < 0 {
		return -1
	}
	weight, err := strconv.Atoi(fields[i+1])
	must(t, err)
	return weight
}

// TestSlowStart brings a server back: its share of what comes grows with its
// weight, from a little to its full.
func TestSlowStart(t *testing.T) {
	const full, asks = 4, 40
	n := newNetwork(t, lab.Options{Servers: 2})
	web := servers(t, n)
	echoes(t, n)
	startPool(t, n, weighted("slow_start = \"8s\"\n  ", 2, full))
	awaitRow(t, n.A, false, "-a", echo(2), "-w", "4")
	must(t, web[1].Set(lab.Broken))
	awaitRow(t, n.A, false, "-a", echo(2), "-w", "0")
	if by := shares(t, n, asks); by["rs2"] != 0 {
		t.Errorf("a server that is down answers: %v", by)
	}
	must(t, web[1].Set(lab.Healthy))

	var seen []int
	must(t, lab.Await(60*time.Second, func() error {
		weight := weightOf(t, n, 2)
		by := shares(t, n, asks)
		if after := weightOf(t, n, 2); after != weight {
			return fmt.Errorf("the weight became %d", after)
		}
		if len(seen) > 0 && weight < seen[len(seen)-1] {
			t.Errorf("the weight fell to %d after %v", weight, seen)
		}
		seen = append(seen, weight)
		// A turn of the scheduler may be cut at either end.
		if want := asks * weight / (full + weight); by["rs2"] < want-full || by["rs2"] > want+full {
			t.Errorf("with weight %d of %d it has %d of %d, want %d", weight, full, by["rs2"], asks, want)
		}
		if weight < full {
			return fmt.Errorf("weights so far %v", seen)
		}
		return nil
	}))
	if !slices.ContainsFunc(seen, func(w int) bool { return 0 < w && w < full }) {
		t.Errorf("the weights were %v, want some between", seen)
	}
}

// TestPanicThreshold fails most of a pool: those that were up last are kept, and
// answer; half of it is believed.
func TestPanicThreshold(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 4})
	web := servers(t, n)
	echoes(t, n)
	d := startPool(t, n, weighted("panic_threshold = \"50%\"\n  ", 4, 1))
	row := func(server int, weight string) { awaitRow(t, n.A, false, "-a", echo(server), "-w", weight) }
	for i := range web {
		row(i+1, "1")
	}
	want := func(names ...string) {
		t.Helper()
		if by := shares(t, n, 20); len(by) != len(names) || slices.ContainsFunc(names, func(name string) bool { return by[name] != 20/len(names) }) {
			t.Errorf("answers are of %v, want %v by turns", by, names)
		}
	}
	panics := func(want bool) {
		t.Helper()
		must(t, lab.Await(10*time.Second, func() error {
			status, err := d.Status()
			if err == nil && status.VirtualServers[0].Panics != want {
				err = fmt.Errorf("panic is %v", !want)
			}
			return err
		}))
	}
	must(t, web[0].Set(lab.Broken))
	must(t, web[1].Set(lab.Broken))
	row(1, "0")
	row(2, "0")
	want("rs3", "rs4")

	must(t, web[2].Set(lab.Broken))
	panics(true)
	want("rs3", "rs4")
	must(t, web[3].Set(lab.Broken))
	_, err := d.AwaitReal("echo", echo(4), "down", 10*time.Second)
	must(t, err)
	want("rs3", "rs4")

	must(t, web[0].Set(lab.Healthy))
	must(t, web[3].Set(lab.Healthy))
	panics(false)
	row(1, "1")
	row(3, "0")
	want("rs1", "rs4")
	events, err := d.Events(engine.KindPanic)
	must(t, err)
	if len(events) != 2 || events[0].To != "panic" || events[1].To != "normal" {
		t.Errorf("events %+v, want one at the begin and one at the end", events)
	}
}
