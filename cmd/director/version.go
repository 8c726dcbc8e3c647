package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/vrrp/worker"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(command.OutOrStdout(), "director %s (%s, %s/%s)\nvrrp protocol %s\n",
				version, runtime.Version(), runtime.GOOS, runtime.GOARCH, worker.Wire())
			return err
		},
	}
}
