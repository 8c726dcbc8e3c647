//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/integration/lab"
	"github.com/lvs-director/director/internal/engine"
)

// frrConfig is FRR's side of the sessions of TestBFD. The timing leaves room for
// an emulated processor.
const frrConfig = `bfd
 profile lab
  transmit-interval 200
  receive-interval 200
  detect-multiplier 5
 !
 peer 10.3.0.1 local-address 10.3.0.11 interface eth1
  profile lab
 !
 peer fd00:b::1 local-address fd00:b::b interface eth1
  profile lab
 !
 peer 10.3.0.1 multihop local-address 10.3.0.11
  profile lab
 !
!
`

// keepalivedSession is keepalived's side of another.
const keepalivedSession = `bfd_instance director {
    neighbor_ip 10.0.0.1
    source_ip 10.0.0.10
    min_rx 200
    min_tx 200
    multiplier 5
}
`

// bfdSessions are the director's sides: three with FRR, one with keepalived, one
// with the other director.
const bfdSessions = `
bfd "v4" {
  neighbor   = "10.3.0.11"
  interface  = "eth1"
  interval   = "200ms"
  multiplier = 5
}
bfd "v6" {
  neighbor   = "fd00:b::b"
  interface  = "eth1"
  interval   = "200ms"
  multiplier = 5
}
bfd "far" {
  neighbor   = "10.3.0.11"
  source     = "10.3.0.1"
  multihop   = true
  interval   = "200ms"
  multiplier = 5
}
bfd "keepalived" {
  neighbor   = "10.0.0.10"
  interval   = "200ms"
  multiplier = 5
}
bfd "peer" {
  neighbor   = "10.0.0.2"
  interval   = "200ms"
  multiplier = 5
}
virtual_server "web" {
  address    = "10.0.0.100:80"
  on_failure = "remove"
  real_server "10.3.0.11:80" {
    check "bfd" { session = "v4" }
  }
}
`

// TestBFD pairs a director with Debian's FRR over one hop, IPv6 and the ports of
// several, with keepalived, and with another director. A pulled cable is found, takes the real
// server out, and demotes the master that tracks it; a neighbour's shutdown by
// rule is told as such, both ways.
func TestBFD(t *testing.T) {
	n := newNetwork(t, lab.Options{Servers: 1})
	rs := n.Servers[0]
	frr, err := n.StartBFD(rs, frrConfig)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of FRR:\n%s", lastLines(frr.Log(), 40))
			if out, err := frr.Command("show bfd peers"); err == nil {
				t.Logf("peers of FRR:\n%s", out)
			}
		}
	})
	k, err := n.StartKeepalived(n.Client, keepalivedSession)
	must(t, err)
	const interval = 200 * time.Millisecond
	tracked := group{priority: 150, interval: interval, more: "  track \"bfd\" \"v4\" { weight = -60 }\n  track \"bfd\" \"peer\" {}\n"}
	a := startDirector(t, n, n.A, tracked.String()+bfdSessions)
	b := startDirector(t, n, n.B, group{priority: 100, interval: interval}.String()+
		"bfd \"peer\" {\n  neighbor = \"10.0.0.1\"\n  interface = \"eth0\"\n  interval = \"200ms\"\n  multiplier = 5\n}\n")

	sessions := []string{"v4", "v6", "far", "keepalived", "peer"}
	allUp := func() {
		t.Helper()
		for _, name := range sessions {
			_, err := a.AwaitSession(name, "up", 30*time.Second)
			must(t, err)
		}
		_, err := b.AwaitSession("peer", "up", 30*time.Second)
		must(t, err)
		_, err = a.AwaitReal("web", "10.3.0.11:80", "up", 10*time.Second)
		must(t, err)
		awaitRow(t, n.A, false, "-a", "10.0.0.100:80", "10.3.0.11:80")
		must(t, a.AwaitGroup("front", "MASTER", 20*time.Second))
		must(t, b.AwaitGroup("front", "BACKUP", 20*time.Second))
	}
	allUp()
	// FRR has heard of the intervals that hold while up: the poll sequence works.
	must(t, lab.Await(10*time.Second, func() error {
		out, err := frr.Command("show bfd peers json")
		if err != nil {
			return err
		}
		var peers []struct {
			Peer     string
			Status   string
			Interval int `json:"remote-transmit-interval"`
		}
		if err := json.Unmarshal([]byte(out), &peers); err != nil {
			return err
		}
		if len(peers) != 3 {
			return fmt.Errorf("FRR has %d peers, want 3", len(peers))
		}
		for _, p := range peers {
			if p.Status != "up" || p.Interval != 200 {
				return fmt.Errorf("FRR says of %s: %s, every %d ms", p.Peer, p.Status, p.Interval)
			}
		}
		return nil
	}))

	// lost waits until everything has followed the session.
	lost := func(reason string) {
		t.Helper()
		s, err := a.AwaitSession("v4", "down", 10*time.Second)
		must(t, err)
		must(t, contains(s.Reason, reason))
		real, err := a.AwaitReal("web", "10.3.0.11:80", "down", 10*time.Second)
		must(t, err)
		must(t, contains(real.Reason, "bfd: "+reason))
		awaitRow(t, n.A, true, "-a", "10.0.0.100:80", "10.3.0.11:80")
		must(t, a.AwaitGroup("front", "BACKUP", 20*time.Second))
		must(t, b.AwaitGroup("front", "MASTER", 20*time.Second))
		out, err := a.Command("status")
		must(t, err)
		must(t, contains(out, "bfd session v4 is down", reason))
		out, err = a.Command("tail", "-k", "bfd", "--session", "v4", "-n", "1")
		must(t, err)
		must(t, contains(out, "up -> down: "+reason))
	}
	began := time.Now()
	must(t, n.Pull(rs, "eth1"))
	lost("control detection time expired")
	t.Logf("all followed the pulled cable after %v", time.Since(began).Round(time.Millisecond))
	must(t, n.Plug(rs, "eth1"))
	allUp()

	v4 := []string{"configure terminal", "bfd", "peer 10.3.0.1 local-address 10.3.0.11 interface eth1"}
	_, err = frr.Command(append(v4, "shutdown")...)
	must(t, err)
	lost("neighbor is administratively down")
	_, err = frr.Command(append(v4, "no shutdown")...)
	must(t, err)
	allUp()

	// A new engine knows of no session at first, and moves no mastership for it.
	roles, err := b.Events(engine.KindRole)
	must(t, err)
	must(t, a.Signal(syscall.SIGUSR2))
	must(t, a.Wait(20*time.Second))
	must(t, a.Start())
	awaitReady(t, a)
	allUp()
	after, err := b.Events(engine.KindRole)
	must(t, err)
	if len(after) != len(roles) {
		t.Errorf("mastership moved for a restart of the engine: %+v", after[len(roles):])
	}

	must(t, k.Kill())
	s, err := a.AwaitSession("keepalived", "down", 10*time.Second)
	must(t, err)
	must(t, contains(s.Reason, "control detection time expired"))

	must(t, a.Signal(syscall.SIGTERM))
	must(t, a.Wait(20*time.Second))
	s, err = b.AwaitSession("peer", "down", 10*time.Second)
	must(t, err)
	must(t, contains(s.Reason, "neighbor is administratively down"))
	events, err := b.Events(engine.KindBFD)
	must(t, err)
	if last := events[len(events)-1]; last.To != "down" || last.Session != "peer" {
		t.Errorf("last event %+v", last)
	}
	out, err := frr.Command("show bfd peers")
	must(t, err)
	must(t, contains(out, "Remote diagnostics: administratively down"))
}
