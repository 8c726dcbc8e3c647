package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/api"
)

// The places where things are unless somebody says otherwise.
const (
	defaultConfig = "/etc/director"
	defaultSocket = "/run/director/director.sock"
)

// daemonFlags say which daemon a command speaks to.
type daemonFlags struct {
	socket, config string
}

func (f *daemonFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVarP(&f.socket, "socket", "s", "", "socket of the daemon (default: that of --config, else "+defaultSocket+")")
	flags.StringVarP(&f.config, "config", "c", "", "configuration of the daemon, which names its socket")
	command.MarkFlagsMutuallyExclusive("socket", "config")
}

// client returns a client of the daemon that the flags mean.
func (f *daemonFlags) client() (*api.Client, error) {
	socket := cmp.Or(f.socket, defaultSocket)
	if f.config != "" {
		config, err := conf.Load(f.config)
		if err != nil {
			return nil, fmt.Errorf("find the daemon's socket: %w", err)
		}
		socket = config.API.Socket
	}
	return api.NewClient(socket), nil
}
