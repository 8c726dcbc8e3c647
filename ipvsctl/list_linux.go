package ipvsctl

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// List returns the services with their statistics, in the kernel's order.
func (l *Linux) List() ([]ServiceEntry, error) {
	if err := l.ready(); err != nil {
		return nil, err
	}
	entries, err := l.socket.list()
	if err != nil {
		l.broken()
		return nil, fmt.Errorf("list ipvs: %w", err)
	}
	return entries, nil
}

func (s *socket) list() ([]ServiceEntry, error) {
	var entries []ServiceEntry
	seen := make(map[ServiceID]struct{})
	s.beginRequest(cmdGetService)
	err := s.dump(func(attrs []byte) error {
		var row serviceRow
		if err := decodeService(attrs, &row, true); err != nil {
			return err
		}
		if _, twice := seen[row.ID]; !twice { // see Dump
			seen[row.ID] = struct{}{}
			entries = append(entries, ServiceEntry{Service: row.Service, Stats: row.stats})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		err := s.dumpDests(e.Service.ID, true, func(row *destRow) {
			e.Destinations = append(e.Destinations, DestinationEntry{
				Destination: row.Destination,
				Active:      row.active, Inactive: row.inactive, Persistent: row.persistent,
				Stats: row.stats,
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Daemons returns the sync daemons that run.
func (l *Linux) Daemons() (map[DaemonState]Daemon, error) {
	if err := l.ready(); err != nil {
		return nil, err
	}
	daemons := make(map[DaemonState]Daemon)
	if err := l.socket.dumpDaemons(daemons); err != nil {
		l.broken()
		return nil, fmt.Errorf("list sync daemons: %w", err)
	}
	return daemons, nil
}

// Timeouts returns the connection time-outs.
func (l *Linux) Timeouts() (Timeouts, error) {
	if err := l.ready(); err != nil {
		return Timeouts{}, err
	}
	return l.timeouts()
}

// Zero sets the counters of one service and its destinations to zero, or those
// of all when there is none.
func (l *Linux) Zero(ids ...ServiceID) error {
	if len(ids) == 0 {
		return l.command("zero counters", cmdZero, nil)
	}
	for _, id := range ids {
		if err := l.command("zero counters of "+id.String(), cmdZero, &id); err != nil {
			return err
		}
	}
	return nil
}

// Clear removes every service, whoever put it there. It leaves the daemons and
// the time-outs.
func (l *Linux) Clear() error { return l.command("clear", cmdFlush, nil) }

// command does one command that has no Op, on a service or on everything.
func (l *Linux) command(what string, command uint8, id *ServiceID) error {
	if err := l.ready(); err != nil {
		return err
	}
	s := l.socket
	s.seq++
	e := encoder{}
	at := e.message(s.family, unix.NLM_F_REQUEST|unix.NLM_F_ACK, s.seq, command)
	if id != nil {
		nest := e.nest(attrService)
		if err := e.serviceID(*id); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		e.endNest(nest)
	}
	e.endMessage(at)
	var refused error
	err := s.send(e.b)
	if err == nil {
		err = s.answers(s.seq, func(_ uint32, errno syscall.Errno) {
			refused = errno
			if id != nil && errno == unix.ESRCH {
				refused = fmt.Errorf("no such service: %w", errno)
			}
		})
	}
	if err != nil {
		l.broken()
	}
	if err = errors.Join(refused, err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
