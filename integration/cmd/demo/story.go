package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// story is what is shown to everybody.
func (s *stage) story(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{s.opening, s.byWeight, s.failingServer, s.killedMaster} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) opening(context.Context) error {
	s.title("A pair of directors")
	fmt.Fprint(s.out, `
  client 10.0.0.10 ---+--- dirA (priority 150) ---+--- rs1 10.3.0.11  weight 1
                      |                           +--- rs2 10.3.0.12  weight 2
                      +--- dirB (priority 100) ---+--- rs3 10.3.0.13  weight 3

  The virtual address 10.0.0.100 is on the master, and so is 10.3.0.254, the
  servers' gateway. Both directors run this configuration:
`)
	fmt.Fprintf(s.out, config+"\n", 150)
	for _, d := range []*lab.Director{s.a, s.b} {
		if err := d.Start(); err != nil {
			return err
		}
		s.say("started a director on %s", d.Node)
	}
	if err := s.settled(); err != nil {
		return err
	}
	s.say("dirA is MASTER, dirB is BACKUP")
	return s.show(s.a, "status")
}

// settled waits until A is master, B is backup, and all servers are up.
func (s *stage) settled() error {
	if err := s.a.AwaitGroup("front", "MASTER", 30*time.Second); err != nil {
		return err
	}
	if err := s.b.AwaitGroup("front", "BACKUP", 30*time.Second); err != nil {
		return err
	}
	for _, d := range []*lab.Director{s.a, s.b} {
		for i := range s.web {
			if _, err := d.AwaitReal("web", address(i), "up", 30*time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

// address names the web server i, counted from 0, as the directors do.
func address(i int) string { return netip.AddrPortFrom(lab.ServerAddr(i+1), 80).String() }

func (s *stage) byWeight(ctx context.Context) error {
	s.title("Traffic is spread by weight, 1 : 2 : 3")
	return s.traffic(ctx, 120)
}

func (s *stage) failingServer(ctx context.Context) error {
	s.title("A server fails")
	broken := time.Now()
	if err := s.web[1].Set(lab.Broken); err != nil {
		return err
	}
	s.say("rs2 answers every request with status 503 now")
	real, err := s.a.AwaitReal("web", address(1), "down", 20*time.Second)
	if err != nil {
		return err
	}
	s.say("%.1f s later dirA gives it weight 0: %s", time.Since(broken).Seconds(), real.Reason)
	if err := s.traffic(ctx, 80); err != nil {
		return err
	}
	s.title("It comes back")
	mended := time.Now()
	if err := s.web[1].Set(lab.Healthy); err != nil {
		return err
	}
	s.say("rs2 is well again")
	if _, err := s.a.AwaitReal("web", address(1), "up", 20*time.Second); err != nil {
		return err
	}
	s.say("%.1f s later, after two good checks, it has its weight again", time.Since(mended).Seconds())
	if err := s.traffic(ctx, 120); err != nil {
		return err
	}
	return s.show(s.a, "tail", "--virtual-server", "web")
}

func (s *stage) killedMaster(ctx context.Context) error {
	s.title("The master is killed while a connection goes on")
	echo := netip.AddrPortFrom(lab.VIP(0), 7)
	flow, err := s.network.Client.NewFlow(ctx, echo)
	if err != nil {
		return err
	}
	defer flow.Close()
	s.say("the client has opened a TCP connection through dirA and sends 100 messages a second")
	if err := s.network.B.AwaitSynced(flow.Source(), echo, 10*time.Second); err != nil {
		return err
	}
	s.say("dirB knows the connection by synchronisation")
	ping, err := s.network.Client.Ping(lab.VIP(0), 5*time.Millisecond)
	if err != nil {
		return err
	}
	defer ping.Stop()
	if _, err := ping.Await("A", time.Now(), 5*time.Second); err != nil {
		return err
	}
	killed := time.Now()
	if err := s.a.Kill(); err != nil {
		return err
	}
	s.say("kill -9 to every process of dirA; its kernel still holds the address, for 3 s at most: it is a lease")
	took, err := ping.Await("B", killed, 20*time.Second)
	if err != nil {
		return err
	}
	s.say("dirB answers at 10.0.0.100, %d ms after the kill", took.Milliseconds())
	if err := flow.Alive(10 * time.Second); err != nil {
		return err
	}
	s.say("the connection is alive: %d messages so far, the longest wait for an answer was %d ms", flow.Echoes(), flow.Stall().Milliseconds())
	if err := s.network.A.AwaitAddress(lab.VIP(0), false, 10*time.Second); err != nil {
		return err
	}
	s.say("dirA's kernel has let the address go, %.1f s after the kill", time.Since(killed).Seconds())
	if err := s.show(s.b, "status"); err != nil {
		return err
	}
	back := time.Now()
	if err := s.a.Start(); err != nil {
		return err
	}
	s.say("started dirA again")
	if err := s.settled(); err != nil {
		return err
	}
	s.say("dirA is MASTER again, having the higher priority")
	if err := flow.Alive(10 * time.Second); err != nil {
		return err
	}
	s.say("the connection is alive: %d messages; the longest time nobody answered was %d ms", flow.Echoes(), ping.Outage(back).Milliseconds())
	return nil
}
