package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newFailoverCommand() *cobra.Command {
	var f daemonFlags
	command := &cobra.Command{
		Use:   "failover [GROUP]...",
		Short: "Hand VRRP groups over to the peer",
		Long: `Hand the named VRRP groups, or all, over to the peer without an interruption. They
come back as the configuration says (preempt). A group that is not MASTER here
stays as it is.`,
		RunE: func(command *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.Close()
			if err := client.Failover(command.Context(), args); err != nil {
				return fmt.Errorf("failover: %w", err)
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "handing over; director tail -f --kind role shows how it goes")
			return err
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(groupNames)
	return command
}
