package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/internal/api"
)

func newReloadCommand() *cobra.Command {
	var f daemonFlags
	command := &cobra.Command{
		Use:   "reload",
		Short: "Make the daemon read its configuration again",
		Long: `Make the daemon read its configuration again, all or nothing: if anything is wrong with
it, the old one keeps running, and the reason is printed. Health, schedule and
connections survive. The command returns when the new configuration runs.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.Close()
			err = client.Reload(command.Context())
			var refused *api.RefusedError
			switch {
			case errors.As(err, &refused):
				return fmt.Errorf("reload refused, the old configuration keeps running:\n%w", err)
			case err != nil:
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "reloaded")
			return err
		},
	}
	// The daemon's socket cannot be looked up in a configuration that may be
	// the broken one: --config finds it only when the file can be read.
	f.register(command)
	return command
}
