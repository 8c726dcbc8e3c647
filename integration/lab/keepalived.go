package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// StartKeepalived runs Debian's keepalived in a box with a configuration.
func (n *Network) StartKeepalived(box *Namespace, config string) (*Process, error) {
	folder, err := os.MkdirTemp("/run", "keepalived-"+box.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("start keepalived: %w", err)
	}
	n.folders = append(n.folders, folder)
	path := filepath.Join(folder, "keepalived.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, fmt.Errorf("start keepalived: %w", err)
	}
	// In the foreground, log to the console and not to syslog, files of its own.
	return n.Start(box, filepath.Join(folder, "log"), "keepalived", "-n", "-l", "-G", "-f", path,
		"-p", filepath.Join(folder, "pid"), "-c", filepath.Join(folder, "checkers.pid"), "-r", filepath.Join(folder, "vrrp.pid"))
}
