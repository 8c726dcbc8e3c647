package ipvstext

import (
	"errors"
	"fmt"

	"github.com/lvs-director/director/ipvsctl"
)

// finish checks what only all options together tell, and fills in what depends
// on others.
func (p *parser) finish() error {
	switch p.op.Kind {
	case ipvsctl.StopDaemon, ipvsctl.SetTimeouts:
		return nil
	case ipvsctl.StartDaemon:
		if p.op.Daemon.Interface == "" {
			return fmt.Errorf("%s needs --mcast-interface", p.command)
		}
		return nil
	}
	id := &p.op.Service.ID
	if *id == (ipvsctl.ServiceID{}) {
		return fmt.Errorf("%s needs a service: -t, -u, --sctp-service or -f", p.command)
	}
	if p.six {
		if id.FWMark == 0 {
			return errors.New("-6 goes with -f only")
		}
		id.Family = ipvsctl.IPv6
	}
	switch p.op.Kind {
	case ipvsctl.AddService, ipvsctl.EditService:
		return p.finishService()
	case ipvsctl.AddDestination, ipvsctl.EditDestination, ipvsctl.DeleteDestination:
		return p.finishDestination()
	}
	return nil
}

func (p *parser) finishService() (err error) {
	s := &p.op.Service
	if s.Persistence.Timeout == 0 {
		switch {
		case p.mask != "":
			return errors.New("-M needs -p")
		case s.Persistence.Engine != "":
			return errors.New("--pe needs -p")
		case s.ID.FWMark == 0 && s.ID.Addr.Port() == 0:
			return errors.New("port 0 needs -p")
		}
	}
	if s.Flags&ipvsctl.OnePacket != 0 && s.ID.FWMark == 0 && s.ID.Protocol != ipvsctl.UDP {
		return errors.New("-o is for UDP and fwmark services only")
	}
	if p.mask != "" {
		if s.Persistence.Prefix, err = parseMask(s.ID.AddressFamily(), p.mask); err != nil {
			return fmt.Errorf("-M: %w", err)
		}
	}
	if p.flags != "" {
		flags, err := parseFlags(s.Scheduler, p.flags)
		if err != nil {
			return fmt.Errorf("-b: %w", err)
		}
		s.Flags |= flags
	}
	return nil
}

func (p *parser) finishDestination() (err error) {
	if p.real == "" {
		return fmt.Errorf("%s needs -r", p.command)
	}
	id, d := p.op.Service.ID, &p.op.Destination
	if d.Addr, err = parseAddrPort(p.real, id.Addr.Port()); err != nil {
		return fmt.Errorf("-r: %w", err)
	}
	t := d.Tunnel
	switch {
	case p.tunnel && d.Forward != ipvsctl.TUN:
		return errors.New("options about a tunnel need -i")
	case t.Type == ipvsctl.GUE && t.Port == 0:
		return errors.New("--tun-type gue needs --tun-port")
	case t.Type != ipvsctl.GUE && t.Port != 0:
		return errors.New("--tun-port is for gue only")
	case t.Type != ipvsctl.GUE && t.Flags&ipvsctl.TunnelRemoteChecksum != 0:
		return errors.New("--tun-remcsum is for gue only")
	case t.Type == ipvsctl.IPIP && t.Flags != 0:
		return errors.New("--tun-csum is for gue and gre only")
	}
	return nil
}
