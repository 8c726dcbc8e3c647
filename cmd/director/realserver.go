package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/internal/realserver"
)

// realserverFlags are the options of director realserver.
type realserverFlags struct {
	vips  []string
	mode  string
	port  uint16
	state string
}

func newRealserverCommand() *cobra.Command {
	var f realserverFlags
	command := &cobra.Command{
		Use:   "realserver",
		Short: "Prepare this machine as a real server of LVS-DR or LVS-TUN",
		Long: `Prepare this machine as a real server. With direct routing or a tunnel, it must hold the
virtual address itself, on a device where nobody asks for it, and must not answer ARP
requests for it.`,
	}
	flags := command.PersistentFlags()
	flags.StringSliceVar(&f.vips, "vip", nil, "virtual `address`; may be repeated")
	flags.StringVar(&f.mode, "mode", string(realserver.DR), "dr, or a tunnel: tun (ipip), gre or gue")
	flags.Uint16Var(&f.port, "gue-port", 0, "UDP `port` of the tunnels, with --mode gue")
	flags.StringVar(&f.state, "state", "/var/lib/director/realserver.json", "`file` that remembers what was changed")
	command.AddCommand(f.upCommand(), f.downCommand(), f.statusCommand())
	return command
}

// addresses returns the virtual addresses that were given.
func (f *realserverFlags) addresses() ([]realserver.VIP, error) {
	var vips []realserver.VIP
	for _, text := range f.vips {
		addr, err := netip.ParseAddr(text)
		v := realserver.VIP{Addr: addr, Mode: realserver.Mode(f.mode), Port: f.port}
		if err == nil {
			err = v.Validate()
		}
		if err != nil {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf("--vip %s: %w", text, err)}
		}
		vips = append(vips, v)
	}
	return vips, nil
}

// stateWait is how long a command waits for another one that changes the machine.
const stateWait = 10 * time.Second

// change opens the state, for itself alone, and changes the machine.
func (f *realserverFlags) change(ctx context.Context, do func(*realserver.State, []realserver.VIP) error) error {
	vips, err := f.addresses()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stateWait)
	defer cancel()
	s, err := realserver.Open(ctx, f.state)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s, vips)
}

func (f *realserverFlags) upCommand() *cobra.Command {
	var persist bool
	command := &cobra.Command{
		Use:   "up --vip ADDRESS",
		Short: "Serve virtual addresses",
		Long: `Serve virtual addresses: hold them on lo (dr) or on the tunnel's device, with arp_ignore,
arp_announce and, for a tunnel, rp_filter as they must be. It may be repeated, and
changes only what is not right yet.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if len(f.vips) == 0 {
				return &exitError{code: exitUsage, err: errors.New("--vip is missing")}
			}
			return f.change(command.Context(), func(s *realserver.State, vips []realserver.VIP) error {
				if err := s.Up(realserver.Linux{}, vips...); err != nil || !persist {
					return err
				}
				program, err := os.Executable()
				if err != nil {
					return fmt.Errorf("find this program: %w", err)
				}
				return s.Persist(realserver.Linux{}, []string{program, "realserver", "--state", f.state})
			})
		},
	}
	command.Flags().BoolVar(&persist, "persist", false, "serve them again after a boot, by a unit of systemd")
	return command
}

func (f *realserverFlags) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down [--vip ADDRESS]",
		Short: "Undo exactly what up has done, for all addresses or some",
		Long: `Undo what up has done, for all addresses or those given. What was there before is put back;
what the other addresses need stays, and so does what somebody else has changed since.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return f.change(command.Context(), func(s *realserver.State, vips []realserver.VIP) error {
				return s.Down(realserver.Linux{}, vips...)
			})
		},
	}
}

func (f *realserverFlags) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [--vip ADDRESS]",
		Short: "Tell what is wrong with the virtual addresses",
		Long: `Tell which virtual addresses are served and what is wrong with them. An address that is given
need not have been set up by director. The exit code is 3 when something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			vips, err := f.addresses()
			if err != nil {
				return err
			}
			s, err := realserver.Load(f.state)
			if err != nil {
				return err
			}
			if len(vips) == 0 {
				vips = s.VIPs
			}
			problems, err := s.Status(realserver.Linux{}, vips...)
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			for _, v := range vips {
				fmt.Fprintln(out, v)
			}
			for _, p := range problems {
				fmt.Fprintln(out, "problem:", p)
			}
			switch {
			case len(problems) > 0:
				return &exitError{code: exitFinding}
			case len(vips) == 0:
				fmt.Fprintln(out, "no virtual address")
			default:
				fmt.Fprintln(out, "all is well")
			}
			return nil
		},
	}
}
