package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// config is what both directors are told; only their priority differs.
const config = `
vrrp "front" {
  interface          = "eth0"
  virtual_router_id  = 51
  priority           = %d
  advertise_interval = "200ms"
  addresses          = ["10.0.0.100/24"]
  address_lease      = "3s"
  connection_sync { interface = "eth1" }
}

vrrp "inside" {
  interface          = "eth1"
  virtual_router_id  = 52
  priority           = %[1]d
  advertise_interval = "200ms"
  addresses          = ["10.3.0.254/24"]
  address_lease      = "3s"
}

vrrp_sync_group "pair" { groups = ["front", "inside"] }

ipvs { on_stop = "keep" }

virtual_server "web" {
  address    = "10.0.0.100:80"
  scheduler  = "wrr"
  forward    = "nat"
  on_failure = "drain"

  check "http" {
    path     = "/"
    interval = "1s"
    timeout  = "900ms"
    rise     = 2
    fall     = 2
  }

  real_server "10.3.0.11:80" { weight = 1 }
  real_server "10.3.0.12:80" { weight = 2 }
  real_server "10.3.0.13:80" { weight = 3 }
}

virtual_server "echo" {
  address   = "10.0.0.100:7"
  scheduler = "rr"
  real_server "10.3.0.11:7" {}
}
`

// vip is where the client asks.
var vip = netip.AddrPortFrom(lab.VIP(0), 80)

// stage is everything on it.
type stage struct {
	out     io.Writer
	started time.Time
	network *lab.Network
	a, b    *lab.Director
	web     []*lab.Server
	echo    *lab.Echo
}

// newStage builds the network and the servers. The directors are not started.
func newStage(out io.Writer) (*stage, error) {
	s := &stage{out: out, started: time.Now()}
	if err := s.build(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stage) build() error {
	var err error
	if s.network, err = lab.New(lab.Options{Servers: 3}); err != nil {
		return err
	}
	for _, box := range s.network.Servers {
		server, err := lab.NewServer(box, 80)
		if err != nil {
			return err
		}
		s.web = append(s.web, server)
	}
	if s.echo, err = lab.NewEcho(s.network.Servers[0], 7); err != nil {
		return err
	}
	for _, d := range []struct {
		to       **lab.Director
		box      *lab.Namespace
		priority int
	}{{&s.a, s.network.A, 150}, {&s.b, s.network.B, 100}} {
		if *d.to, err = s.network.NewDirector(d.box); err != nil {
			return err
		}
		if err := (*d.to).Configure(fmt.Sprintf(config, d.priority)); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) close() error {
	var errs []error
	for _, server := range s.web {
		errs = append(errs, server.Close())
	}
	if s.echo != nil {
		errs = append(errs, s.echo.Close())
	}
	if s.network != nil {
		errs = append(errs, s.network.Close())
	}
	return errors.Join(errs...)
}

// say tells what happens, with the time since the start.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%6.1f s  %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

// title begins a chapter.
func (s *stage) title(text string) {
	fmt.Fprintf(s.out, "\n=== %s ===\n", text)
}

// show runs a director's command and prints what it prints.
func (s *stage) show(d *lab.Director, args ...string) error {
	fmt.Fprintf(s.out, "\n%s$ director %s\n", d.Node, strings.Join(args, " "))
	out, err := d.Command(args...)
	if out = strings.TrimRight(out, "\n"); out != "" {
		fmt.Fprintf(s.out, "  %s\n\n", strings.ReplaceAll(out, "\n", "\n  "))
	}
	return err
}

// traffic sends requests and shows who answered how many.
func (s *stage) traffic(ctx context.Context, requests int) error {
	names, err := s.network.Client.GetAll(ctx, vip, requests)
	shares := lab.Shares(names)
	s.say("%d requests to %v were answered by", len(names), vip)
	for _, server := range s.web {
		n := shares[server.Name]
		fmt.Fprintf(s.out, "          %s %4d %s\n", server.Name, n, strings.Repeat("#", n*60/max(1, requests)))
	}
	return err
}
