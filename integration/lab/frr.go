package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// FRR is Debian's FRR running in a box: zebra, which knows the interfaces, and bfdd.
type FRR struct {
	*Process
	folder string
}

// StartBFD runs FRR's bfdd in a box with a configuration.
func (n *Network) StartBFD(box *Namespace, config string) (*FRR, error) {
	folder, err := os.MkdirTemp("/run", "frr-"+box.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("start frr: %w", err)
	}
	n.folders = append(n.folders, folder)
	f := &FRR{folder: folder}
	for name, text := range map[string]string{"zebra.conf": "", "bfdd.conf": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("configure frr: %w", err)
		}
	}
	// They leave root for an account of their own, which must write here.
	if out, err := exec.Command("chown", "-R", "frr:frr", folder).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start frr: chown: %w: %s", err, out)
	}
	// bfdd asks zebra again until it is there.
	const both = `/usr/lib/frr/zebra -z "$1/zserv" -i "$1/zebra.pid" -f "$1/zebra.conf" -P 0 --vty_socket "$1" --log stdout &
exec /usr/lib/frr/bfdd -z "$1/zserv" -i "$1/bfdd.pid" -f "$1/bfdd.conf" -P 0 --vty_socket "$1" --bfdctl "$1/bfdd.sock" --log stdout`
	f.Process, err = n.Start(box, filepath.Join(folder, "log"), "sh", "-c", both, "sh", folder)
	return f, err
}

// Command has bfdd do commands, one after the other, as on its terminal.
func (f *FRR) Command(commands ...string) (string, error) {
	args := []string{"vtysh", "--vty_socket", f.folder, "-d", "bfdd"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return f.Box.Run(args...)
}
