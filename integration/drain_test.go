//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// udpEnds makes the kernel forget a flow of datagrams soon after its last.
const udpEnds = "ipvs {\n  timeouts { udp = \"4s\" }\n}\n"

// onTheWeb checks a server of datagrams by its web server.
const onTheWeb = `check "http" {
    port     = 80
    interval = "100ms"
    timeout  = "90ms"
    rise     = 1
    fall     = 2
  }
`

// echo is a real server's echo.
func echo(server int) string { return lab.ServerAddr(server).String() + ":7" }

// TestSorryServerIsDrained brings the quorum back under traffic: whom the sorry
// server has begun with it ends with, and then it goes. Its own check takes it
// out; then those serve that are up, although they are too few.
func TestSorryServerIsDrained(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 3})
	web := servers(t, n)
	echoes(t, n)
	d := startPool(t, n, fmt.Sprintf(`%svirtual_server "echo" {
  address   = "10.0.0.100:7"
  protocol  = "udp"
  scheduler = "rr"
  quorum    = 2
  %s  sorry_server %q {
    drain_timeout = "1h"
    %s  }
  real_server %q {}
  real_server %q {}
}
`, udpEnds, onTheWeb, echo(3), onTheWeb, echo(1), echo(2)))
	row := func(server int, weight string) { awaitRow(t, n.A, false, "-a", echo(server), "-w", weight) }
	row(1, "1")
	row(2, "1")
	awaitRow(t, n.A, true, "-a", echo(3)) // it has nobody, and is gone

	must(t, web[0].Set(lab.Broken))
	row(3, "1")
	client := talk(t, n, at(7))
	client.only(t, "rs3")

	must(t, web[2].Set(lab.Broken))
	row(3, "0")
	row(2, "1")
	if name := askNew(t, n, at(7)); name != "rs2" {
		t.Errorf("with the sorry server down %s answers, want the one that is up", name)
	}
	must(t, web[2].Set(lab.Healthy))
	row(3, "1")
	row(2, "0")
	if name := askNew(t, n, at(7)); name != "rs3" {
		t.Errorf("with the sorry server up again %s answers", name)
	}

	must(t, web[0].Set(lab.Healthy))
	row(1, "1")
	row(3, "0")
	if name := askNew(t, n, at(7)); name == "rs3" {
		t.Error("the sorry server gets somebody new although the quorum is back")
	}
	client.only(t, "rs3") // from its first answer to now
	row(3, "0")
	client.close()
	awaitRow(t, n.A, true, "-a", echo(3))
	wantDeparture(t, d, echo(3))
}

// wantDeparture wants the last real server that left to be this one, with its
// last connection.
func wantDeparture(t *testing.T, d *lab.Director, server string) {
	t.Helper()
	events, err := d.Events(engine.KindReal)
	must(t, err)
	last := engine.Event{}
	for _, ev := range events {
		if ev.To == "removed" {
			last = ev
		}
	}
	if last.RealServer != server || last.Reason != "its connections have ended" {
		t.Errorf("%s left since %q, want %s", last.RealServer, last.Reason, server)
	}
}

// TestDrainEndsWithTheLastConnection drains a server by command and another by
// taking it out of the configuration. Both keep whom they have, get nobody
// new, and are done when these have ended.
func TestDrainEndsWithTheLastConnection(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 2})
	echoes(t, n)
	config := udpEnds + "virtual_server \"echo\" {\n  address = \"10.0.0.100:7\"\n  protocol = \"udp\"\n  scheduler = \"rr\"\n  drain_timeout = \"1h\"\n" +
		fmt.Sprintf("  real_server %q {}\n", echo(1))
	second := fmt.Sprintf("  real_server %q {}\n", echo(2))
	d := startPool(t, n, config+second+"}\n")
	awaitRow(t, n.A, false, "-a", echo(2), "-w", "1")
	clients := map[string]*talker{}
	for range 2 { // by turns
		client := talk(t, n, at(7))
		must(t, lab.Await(10*time.Second, func() error {
			client.mu.Lock()
			defer client.mu.Unlock()
			for name := range client.answers {
				clients[name] = client
				return nil
			}
			return fmt.Errorf("no answer yet")
		}))
	}
	if len(clients) != 2 {
		t.Fatalf("two clients are with %d servers", len(clients))
	}

	drained := make(chan error, 1)
	go func() {
		out, err := d.Command("drain", "echo", echo(1), "--wait")
		if err == nil && !strings.Contains(out, "0 connections left") {
			err = fmt.Errorf("drain --wait said %q", out)
		}
		drained <- err
	}()
	awaitRow(t, n.A, false, "-a", echo(1), "-w", "0")
	for range 4 {
		if name := askNew(t, n, at(7)); name != "rs2" {
			t.Errorf("%s gets somebody new", name)
		}
	}
	clients["rs1"].only(t, "rs1")
	select {
	case err := <-drained:
		t.Errorf("drain --wait has ended before the connection: %v", err)
	default:
	}
	clients["rs1"].close()
	must(t, <-drained)

	_, err := d.Command("enable", "echo", echo(1))
	must(t, err)
	must(t, d.Configure(config+"}\n"))
	must(t, d.Reload())
	awaitRow(t, n.A, false, "-a", echo(2), "-w", "0")
	for range 4 {
		if name := askNew(t, n, at(7)); name != "rs1" {
			t.Errorf("%s gets somebody new", name)
		}
	}
	clients["rs2"].only(t, "rs2")
	awaitRow(t, n.A, false, "-a", echo(2), "-w", "0")
	clients["rs2"].close()
	awaitRow(t, n.A, true, "-a", echo(2))
	wantDeparture(t, d, echo(2))
}
