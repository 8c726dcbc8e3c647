package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sniffer is tcpdump on an interface of a box, waiting for one packet.
type Sniffer struct {
	process *Process
	filter  string
}

// Sniff starts to wait for a packet that a filter of pcap-filter(7) lets
// through. It sees all packets that come after it has returned.
func (n *Network) Sniff(box *Namespace, link, filter string) (*Sniffer, error) {
	folder, err := os.MkdirTemp("", "sniffer-")
	if err != nil {
		return nil, fmt.Errorf("sniff: %w", err)
	}
	n.folders = append(n.folders, folder)
	p, err := n.Start(box, filepath.Join(folder, "log"), "tcpdump", "-n", "-e", "--immediate-mode", "-c", "1", "-i", link, filter)
	if err != nil {
		return nil, err
	}
	err = Await(10*time.Second, func() error {
		if log := p.Log(); !strings.Contains(log, "listening on") {
			return fmt.Errorf("sniff %q on %s of %s: %s", filter, link, box.Name, log)
		}
		return nil
	})
	return &Sniffer{p, filter}, err
}

// Packet waits for the packet and returns tcpdump's line about it.
func (s *Sniffer) Packet(limit time.Duration) (string, error) {
	if err := s.process.Wait(limit); err != nil {
		return "", fmt.Errorf("no packet is %q: %w", s.filter, err)
	}
	for line := range strings.Lines(s.process.Log()) {
		if strings.Contains(line, " > ") {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("sniff %q: %s", s.filter, s.process.Log())
}
