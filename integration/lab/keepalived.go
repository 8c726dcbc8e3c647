package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// Keepalived is Debian's keepalived running in a box.
type Keepalived struct {
	*Process
	config string
}

// StartKeepalived runs keepalived in a box with a configuration.
func (n *Network) StartKeepalived(box *Namespace, config string) (*Keepalived, error) {
	folder, err := os.MkdirTemp("/run", "keepalived-"+box.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("start keepalived: %w", err)
	}
	n.folders = append(n.folders, folder)
	k := &Keepalived{config: filepath.Join(folder, "keepalived.conf")}
	if err := k.Configure(config); err != nil {
		return nil, err
	}
	// In the foreground, log to the console and not to syslog, files of its own.
	k.Process, err = n.Start(box, filepath.Join(folder, "log"), "keepalived", "-n", "-l", "-G", "-f", k.config,
		"-p", filepath.Join(folder, "pid"), "-c", filepath.Join(folder, "checkers.pid"), "-r", filepath.Join(folder, "vrrp.pid"), "-b", filepath.Join(folder, "bfd.pid"))
	return k, err
}

// Configure writes the configuration for the next reload.
func (k *Keepalived) Configure(config string) error {
	if err := os.WriteFile(k.config, []byte(config), 0o644); err != nil {
		return fmt.Errorf("configure keepalived: %w", err)
	}
	return nil
}
