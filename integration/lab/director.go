package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lvs-director/director/integration/vm"
	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/engine"
)

// Director is a director running in a box: `director run` with the VRRP process
// that it starts.
type Director struct {
	*Process
	Node   string // as its configuration names it
	Folder string // has its configuration, its log, its sockets and its state

	network *Network
	client  *api.Client
}

// Head returns the part of a configuration that places a director in its folder.
// VRRP hooks and scripts run as nobody, which every machine has.
func Head(node, folder string) string {
	return fmt.Sprintf("node = %q\nruntime_dir = %q\nstate_dir = %q\nscripts {\n  user = \"nobody\"\n}\n",
		node, filepath.Join(folder, "run"), filepath.Join(folder, "state"))
}

// NewDirector makes a folder for a director in a box; it is not started yet.
func (n *Network) NewDirector(box *Namespace) (*Director, error) {
	// Not below a test's temporary folder: a unix socket's path is short (108 bytes).
	folder, err := os.MkdirTemp("/run", "director-"+box.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("make folder of director: %w", err)
	}
	n.folders = append(n.folders, folder)
	// Scripts run as nobody and may lie here.
	if err := os.Chmod(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make folder of director: %w", err)
	}
	return &Director{
		Process: &Process{Box: box, group: n.cgroup(box)}, Node: box.Name, Folder: folder, network: n,
		client: api.NewClient(filepath.Join(folder, "run", "director.sock")),
	}, nil
}

// Configure writes the configuration, after its head, for the next start or reload.
func (d *Director) Configure(body string) error {
	text := Head(d.Node, d.Folder) + body
	if err := os.WriteFile(d.config(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure director: %w", err)
	}
	return nil
}

func (d *Director) config() string { return filepath.Join(d.Folder, "director.hcl") }

// Start starts the daemon, or starts it again. It does not wait until it is ready.
func (d *Director) Start() error { return d.StartBy() }

// StartBy starts the daemon by a program that runs what it is given.
func (d *Director) StartBy(by ...string) error {
	program := os.Getenv(vm.ProgramVariable)
	if program == "" {
		return fmt.Errorf("start director: $%s does not say which program", vm.ProgramVariable)
	}
	args := append(by, program, "run", "--config", d.config())
	process, err := d.network.Start(d.Box, filepath.Join(d.Folder, "log"), args...)
	if err != nil {
		return err
	}
	d.Process = process
	return nil
}

// Command runs a client command, like "status", against the daemon.
func (d *Director) Command(args ...string) (string, error) {
	socket := filepath.Join(d.Folder, "run", "director.sock")
	return d.Box.Run(slices.Concat([]string{os.Getenv(vm.ProgramVariable)}, args, []string{"--socket", socket})...)
}

// Plan returns what the configuration, as it is written now, would change.
func (d *Director) Plan() (string, error) {
	return d.Box.Run(os.Getenv(vm.ProgramVariable), "plan", "--config", d.config())
}

// Status asks the daemon how it is.
func (d *Director) Status() (*engine.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return d.client.Status(ctx)
}

// Reload makes the daemon read its configuration again and returns its refusal.
func (d *Director) Reload() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return d.client.Reload(ctx)
}

// Failover makes the daemon hand all its groups over.
func (d *Director) Failover() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return d.client.Failover(ctx, nil)
}

// Events returns what has happened, of one kind if kind is not empty.
func (d *Director) Events(kind engine.Kind) ([]engine.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var events []engine.Event
	for e, err := range d.client.Events(ctx, api.Query{}) {
		if err != nil {
			return nil, err
		}
		if kind == "" || e.Kind == kind {
			events = append(events, e)
		}
	}
	return events, nil
}

// AwaitGroup waits until a group is in a state, as "MASTER".
func (d *Director) AwaitGroup(group, state string, limit time.Duration) error {
	return Await(limit, func() error {
		status, err := d.Status()
		if err != nil {
			return err
		}
		for _, g := range status.VRRP.Groups {
			if g.Name != group {
				continue
			}
			if g.State != state {
				return fmt.Errorf("group %s of %s is %s (%s), want %s", group, d.Node, g.State, g.Reason, state)
			}
			return nil
		}
		return fmt.Errorf("%s has no group %s", d.Node, group)
	})
}

// AwaitReal waits until a real server of a virtual server is in a state, as
// "up", and in the kernel as the state wants it. It returns its status.
func (d *Director) AwaitReal(virtual, real, state string, limit time.Duration) (*engine.RealStatus, error) {
	var found *engine.RealStatus
	err := Await(limit, func() error {
		status, err := d.Status()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(status.VirtualServers, func(v *engine.ServiceStatus) bool { return v.Name == virtual })
		if i < 0 {
			return fmt.Errorf("%s has no virtual server %s", d.Node, virtual)
		}
		for _, r := range status.VirtualServers[i].Reals {
			if r.Address != real {
				continue
			}
			if found = r; r.State != state || !status.Kernel.InSync {
				return fmt.Errorf("real server %s of %s is %s (%s), want %s; kernel in sync: %v", real, d.Node, r.State, r.Reason, state, status.Kernel.InSync)
			}
			return nil
		}
		return fmt.Errorf("%s has no real server %s", virtual, real)
	})
	return found, err
}

// AwaitAddress waits until the box has an address, or has it no more.
func (n *Namespace) AwaitAddress(addr netip.Addr, held bool, limit time.Duration) error {
	return Await(limit, func() error {
		has, err := n.HasAddress(addr)
		if err == nil && has != held {
			err = fmt.Errorf("%s has address %v: %v, want %v", n.Name, addr, has, held)
		}
		return err
	})
}

// Worker returns the process id of the VRRP process: what is in the box besides
// the daemon itself and the scripts it runs.
func (d *Director) Worker() (int, error) {
	pids, err := d.PIDs()
	if err != nil {
		return 0, err
	}
	engine, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", d.PID()))
	if err != nil {
		return 0, fmt.Errorf("find vrrp process: %w", err)
	}
	for _, pid := range pids {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && pid != d.PID() && exe == engine {
			return pid, nil
		}
	}
	return 0, errors.New("find vrrp process: the daemon has started none")
}

// AwaitSession waits until a BFD session is in a state, as "up". On its way up a
// session that is down is "init" at times, which is as good as down.
func (d *Director) AwaitSession(name, state string, limit time.Duration) (*engine.SessionStatus, error) {
	var found *engine.SessionStatus
	err := Await(limit, func() error {
		status, err := d.Status()
		if err != nil {
			return err
		}
		if status.BFD == nil {
			return fmt.Errorf("%s has no BFD sessions", d.Node)
		}
		for i := range status.BFD.Sessions {
			s := &status.BFD.Sessions[i]
			if s.Name != name {
				continue
			}
			is := s.State
			if is == "init" {
				is = "down"
			}
			if found = s; is != state {
				return fmt.Errorf("bfd session %s of %s is %s (%s), want %s", name, d.Node, s.State, s.Reason, state)
			}
			return nil
		}
		return fmt.Errorf("%s has no BFD session %s", d.Node, name)
	})
	return found, err
}
