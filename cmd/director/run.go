package main

import (
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
)

func newRunCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `Run the daemon in the foreground until a signal ends it:

  SIGHUP            read the configuration again
  SIGTERM, SIGINT   stop in order: hand mastership over, then IPVS as on_stop says
  SIGUSR1           open the log file anew
  SIGUSR2           end, but leave mastership, addresses and IPVS to the next daemon`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := privilege.Withhold(); err != nil {
				return err
			}
			// From here on no signal may end the daemon by itself.
			signals := make(chan os.Signal, 4)
			signal.Notify(signals, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2)
			defer signal.Stop(signals)
			d := &daemon{
				path:    path,
				stderr:  command.ErrOrStderr(),
				signals: signals,
				open:    func() (ipvsctl.Kernel, error) { return ipvsctl.Open(ipvsctl.Options{}) },
				marks:   marks.Linux{},
			}
			return d.run(command.Context())
		},
	}
	configFlag(command, &path)
	return command
}
