package engine

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/ipvsctl"
)

// fifoLines returns what keepalived would have written of an event, and whom
// it is about.
func (e *Engine) fifoLines(ev Event) (lines []string, of conf.FIFOSubjects) {
	switch ev.Kind {
	case KindRole:
		state := fifoState(ev.From, ev.To)
		switch {
		case state == "":
			return nil, of
		case ev.SyncGroup != "":
			lines = append(lines, groupLine(ev.SyncGroup, state))
		case ev.Group != "":
			lines = append(lines, instanceLine(ev.Group, state, e.roles.priorityOf(ev.Group)))
		default:
			return nil, of
		}
		return lines, conf.FIFOSubjects{VRRP: true}
	case KindQuorum, KindReal:
		s := e.byName[ev.VirtualServer]
		if s == nil || ev.To != "up" && ev.To != "down" {
			return nil, of
		}
		for i := range s.vs.Services {
			if id := s.vs.Services[i].ID; ev.Kind == KindQuorum {
				lines = append(lines, serviceLine(id, ev.To))
			} else if real, err := netip.ParseAddrPort(ev.RealServer); err == nil {
				lines = append(lines, realLine(id, real, ev.To))
			}
		}
		return lines, conf.FIFOSubjects{Services: true}
	}
	return nil, of
}

// fifoState is keepalived's word for a state that a group enters: INIT is not
// told, unless the group has stopped.
func fifoState(from, to string) string {
	switch to {
	case "MASTER", "BACKUP", "FAULT":
		return to
	case "INIT":
		if from != "" {
			return "STOP"
		}
	}
	return ""
}

// The lines are as keepalived's notify_fifo (keepalived/vrrp/vrrp_notify.c) and
// notify_fifo_vs and notify_fifo_rs (keepalived/check/ipwrapper.c) write them.

func instanceLine(group, state string, priority uint8) string {
	return fmt.Sprintf("INSTANCE \"%s\" %s %d\n", group, state, priority)
}

func groupLine(group, state string) string { return fmt.Sprintf("GROUP \"%s\" %s 0\n", group, state) }

func serviceLine(id ipvsctl.ServiceID, state string) string {
	return fmt.Sprintf("VS %s %s\n", keepalivedService(id), strings.ToUpper(state))
}

func realLine(id ipvsctl.ServiceID, real netip.AddrPort, state string) string {
	protocol := "none"
	if id.FWMark == 0 {
		protocol = id.Protocol.String()
	}
	return fmt.Sprintf("RS %s %s %s\n", trio(real, protocol), keepalivedService(id), strings.ToUpper(state))
}

// keepalivedService is a virtual server as keepalived writes it.
func keepalivedService(id ipvsctl.ServiceID) string {
	if id.FWMark != 0 {
		return fmt.Sprintf("FWM %d", id.FWMark)
	}
	return trio(id.Addr, id.Protocol.String())
}

func trio(a netip.AddrPort, protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", a.Addr(), protocol, a.Port())
}
