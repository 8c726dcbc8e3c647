package realserver

import (
	"fmt"
	"strings"
)

// The unit of systemd that makes the machine serve its addresses again after a
// boot, and what enables it.
const (
	unitPath = "/etc/systemd/system/director-realserver.service"
	wantPath = "/etc/systemd/system/multi-user.target.wants/director-realserver.service"
)

// Persist makes systemd serve the addresses again after each boot. The program
// is the one to call, with what goes before "up". Down undoes this as well.
func (s *State) Persist(sys System, program []string) error {
	s.Program = program
	if err := s.set(sys, Item{File, unitPath}, unit(program, s.VIPs)); err != nil {
		return err
	}
	if err := s.set(sys, Item{Symlink, wantPath}, unitPath); err != nil {
		return err
	}
	return s.save()
}

// unit returns the text of the unit. Stopping it does nothing, since a machine
// that goes down stops answering anyway.
func unit(program []string, vips []VIP) string {
	var b strings.Builder
	b.WriteString("# Written by director realserver up --persist; removed by director realserver down.\n" +
		"[Unit]\nDescription=Virtual addresses of this real server\nAfter=network-pre.target systemd-sysctl.service\nBefore=network-online.target\n\n" +
		"[Service]\nType=oneshot\nRemainAfterExit=yes\n")
	for _, v := range vips {
		fmt.Fprintf(&b, "ExecStart=%s up --vip %s --mode %s", strings.Join(program, " "), v.Addr, v.Mode)
		if v.Port != 0 {
			fmt.Fprintf(&b, " --gue-port %d", v.Port)
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n[Install]\nWantedBy=multi-user.target\n")
	return b.String()
}
