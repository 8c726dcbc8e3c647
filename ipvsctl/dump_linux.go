package ipvsctl

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Dump returns the whole table. The kernel lists services and destinations by
// their position, so that rows may be missed or come twice while another program
// changes the table; a row that comes twice is kept once. See Confirmed.
func (l *Linux) Dump() (Table, error) {
	if err := l.ready(); err != nil {
		return Table{}, err
	}
	t, err := l.socket.dumpTable()
	if err != nil {
		l.broken()
		return Table{}, fmt.Errorf("read ipvs: %w", err)
	}
	if t.Timeouts, err = l.timeouts(); err != nil {
		return Table{}, err
	}
	return t, nil
}

func (s *socket) dumpTable() (Table, error) {
	t := Table{Services: make(map[ServiceID]Service), Daemons: make(map[DaemonState]Daemon)}
	ids, err := s.dumpServices(t.Services)
	if err != nil {
		return t, err
	}
	var dests []Destination
	for _, id := range ids {
		dests = dests[:0]
		err := s.dumpDests(id, false, func(row *destRow) { dests = append(dests, row.Destination) })
		if err != nil {
			return t, err
		}
		if len(dests) > 0 {
			slices.Reverse(dests) // the kernel lists the newest first, they were made in order
			svc := t.Services[id]
			svc.Destinations = sortDestinations(slices.Clone(dests))
			t.Services[id] = svc
		}
	}
	return t, s.dumpDaemons(t.Daemons)
}

// dumpServices reads the services, without their destinations, and returns
// their identities in the kernel's order.
func (s *socket) dumpServices(into map[ServiceID]Service) ([]ServiceID, error) {
	var ids []ServiceID
	s.beginRequest(cmdGetService)
	err := s.dump(func(attrs []byte) error {
		var row serviceRow
		if err := decodeService(attrs, &row, false); err != nil {
			return err
		}
		if _, ok := into[row.ID]; !ok {
			ids = append(ids, row.ID)
		}
		into[row.ID] = row.Service
		return nil
	})
	return ids, err
}

// dumpDests reads the destinations of a service. There are none when the
// service does not exist: the kernel's answer is the same.
func (s *socket) dumpDests(id ServiceID, withStats bool, each func(*destRow)) error {
	s.beginRequest(cmdGetDest)
	nest := s.request.nest(attrService)
	if err := s.request.serviceID(id); err != nil {
		return err
	}
	s.request.endNest(nest)
	family := id.Normal().AddressFamily()
	var row destRow
	return s.dump(func(attrs []byte) error {
		row = destRow{}
		if err := decodeDest(attrs, family, &row, withStats); err != nil {
			return err
		}
		each(&row)
		return nil
	})
}

func (s *socket) dumpDaemons(into map[DaemonState]Daemon) error {
	s.beginRequest(cmdGetDaemon)
	return s.dump(func(attrs []byte) error {
		role, d, err := decodeDaemon(attrs)
		into[role] = d
		return err
	})
}

// beginRequest begins a dump request; attributes may be added before dump.
func (s *socket) beginRequest(command uint8) {
	s.seq++
	s.request.b = s.request.b[:0]
	s.request.message(s.family, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, s.seq, command)
}

// dump sends the request and calls each for every message of the answer.
func (s *socket) dump(each func(attrs []byte) error) error {
	s.request.endMessage(0)
	if err := s.send(s.request.b); err != nil {
		return err
	}
	return s.messages(func(m message) (done bool, err error) {
		if m.seq != s.seq {
			return false, nil
		}
		if m.typ == unix.NLMSG_DONE || m.typ == unix.NLMSG_ERROR {
			errno, err := m.errno()
			if err == nil && errno != 0 {
				err = errno
			}
			return true, err
		}
		attrs, err := m.attrs()
		if err != nil {
			return false, err
		}
		return false, each(attrs)
	})
}

// Connections returns the numbers of connections of a service's destinations,
// active and inactive. There are none when there is no such service.
func (l *Linux) Connections(id ServiceID) (map[netip.AddrPort]int, error) {
	if err := l.ready(); err != nil {
		return nil, err
	}
	counts := make(map[netip.AddrPort]int)
	err := l.socket.dumpDests(id, false, func(row *destRow) {
		counts[row.Addr] = int(row.active) + int(row.inactive)
	})
	if err != nil {
		l.broken()
		return nil, fmt.Errorf("read destinations of %s: %w", id, err)
	}
	return counts, nil
}
