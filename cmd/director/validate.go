package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/conf"
)

func newValidateCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration",
		Long:  "Check a configuration as a start or a reload would, and say everything that is wrong with it.",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := conf.Load(path)
			if err != nil {
				return explain(err, path, command.ErrOrStderr())
			}
			reals := 0
			for _, v := range config.VirtualServers {
				reals += len(v.Reals)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s is valid: %s, %s, %s\n", path,
				count(len(config.VRRP.Groups), "VRRP group"), count(len(config.VirtualServers), "virtual server"), count(reals, "real server"))
			return err
		},
	}
	configFlag(command, &path)
	return command
}
