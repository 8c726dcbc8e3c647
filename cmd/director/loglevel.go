package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLogLevelCommand() *cobra.Command {
	var f daemonFlags
	command := &cobra.Command{
		Use:       "log-level [debug|info|warn|error]",
		Short:     "Show or change how much the daemon logs",
		Long:      "Show how much the daemon logs, or change it until the daemon ends.",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"debug", "info", "warn", "error"},
		RunE: func(command *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.Close()
			if len(args) == 1 {
				return client.SetLogLevel(command.Context(), args[0])
			}
			level, err := client.LogLevel(command.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), level)
			return err
		},
	}
	f.register(command)
	return command
}
