package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

func newIPVSCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "ipvs",
		Short: "See and change the kernel's table by hand, as with ipvsadm",
		Long: `See and change the kernel's IPVS table by hand. Options and texts are those of ipvsadm 1.31;
addresses and ports are numbers, as with its -n, unless a list is asked for --names.

A running daemon repairs its own rows when they are changed here. Rows added here are
not its own: it leaves them alone unless the configuration says foreign = "remove".`,
	}
	command.AddCommand(newIPVSListCommand(), newIPVSConnectionsCommand(), newIPVSSaveCommand(), newIPVSRestoreCommand(),
		newIPVSRuleCommand("add", "-A", "-a"), newIPVSRuleCommand("edit", "-E", "-e"), newIPVSRuleCommand("delete", "-D", "-d"),
		newIPVSZeroCommand(), newIPVSClearCommand(), newIPVSTimeoutsCommand(), newIPVSDaemonCommand())
	return command
}

// withIPVS opens the kernel's table for f.
func withIPVS(netns string, f func(*ipvsctl.Linux) error) error {
	k, err := ipvsctl.Open(ipvsctl.Options{NetNS: netns})
	if err != nil {
		return err
	}
	return errors.Join(f(k), k.Close())
}

func netnsFlag(command *cobra.Command) *string {
	return command.Flags().String("netns", "", "`file` of the network namespace, as /run/netns/blue (default the program's own)")
}

// serviceFlags name one service, as ipvsadm does.
type serviceFlags struct {
	tcp, udp, sctp, fwmark string
	six                    bool
	given                  func(name string) bool // an empty one, too: it is an error, and does not mean all
}

func (f *serviceFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVarP(&f.tcp, "tcp-service", "t", "", "only this TCP service, `address:port`")
	flags.StringVarP(&f.udp, "udp-service", "u", "", "only this UDP service, `address:port`")
	flags.StringVar(&f.sctp, "sctp-service", "", "only this SCTP service, `address:port`")
	flags.StringVarP(&f.fwmark, "fwmark-service", "f", "", "only the service of this `fwmark`")
	flags.BoolVarP(&f.six, "ipv6", "6", false, "the fwmark's service for IPv6")
	f.given = flags.Changed
}

// service returns the service that the flags name, if they name one.
func (f *serviceFlags) service() (id ipvsctl.ServiceID, named bool, err error) {
	args := []string{"-D"}
	for _, o := range []struct{ name, value string }{{"tcp-service", f.tcp}, {"udp-service", f.udp}, {"sctp-service", f.sctp}, {"fwmark-service", f.fwmark}} {
		if f.given(o.name) {
			args = append(args, "--"+o.name, o.value)
		}
	}
	if f.six {
		args = append(args, "-6")
	}
	if len(args) == 1 {
		return id, false, nil
	}
	op, err := ipvstext.ParseArgs(args)
	if err != nil {
		return id, false, &exitError{code: exitUsage, err: err}
	}
	return op.Service.ID, true, nil
}

// listFlags are the options of director ipvs list.
type listFlags struct {
	service                                            serviceFlags
	stats, rate, thresholds, persistent, tunnel, exact bool
	noSort, timeout, daemon, connections, names        bool
	output                                             string
}

func newIPVSListCommand() *cobra.Command {
	var f listFlags
	command := &cobra.Command{
		Use:   "list",
		Short: "List services and destinations, as ipvsadm -Ln",
		Args:  cobra.NoArgs,
	}
	netns := netnsFlag(command)
	f.service.register(command)
	flags := command.Flags()
	flags.BoolVar(&f.stats, "stats", false, "show connections, packets and bytes")
	flags.BoolVar(&f.rate, "rate", false, "show them per second")
	flags.BoolVar(&f.exact, "exact", false, "do not shorten large numbers")
	flags.BoolVar(&f.thresholds, "thresholds", false, "show connection limits")
	flags.BoolVar(&f.persistent, "persistent-conn", false, "show persistent connections")
	flags.BoolVar(&f.tunnel, "tun-info", false, "show tunnels")
	flags.BoolVar(&f.noSort, "nosort", false, "keep the kernel's order")
	flags.Bool("sort", true, "sort, which is the default")
	namesFlags(command, &f.names)
	flags.BoolVar(&f.timeout, "timeout", false, "show the time-outs instead")
	flags.BoolVar(&f.daemon, "daemon", false, "show the sync daemons instead")
	flags.BoolVarP(&f.connections, "connection", "c", false, "show the connections instead")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	command.MarkFlagsMutuallyExclusive("stats", "rate", "thresholds", "persistent-conn", "tun-info")
	command.MarkFlagsMutuallyExclusive("timeout", "daemon", "connection")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if f.output != "text" && f.output != "json" {
			return &exitError{code: exitUsage, err: fmt.Errorf("--output %s is neither text nor json", f.output)}
		}
		return withIPVS(*netns, func(k *ipvsctl.Linux) error { return f.list(command, k) })
	}
	return command
}

func (f *listFlags) view() ipvstext.View {
	switch {
	case f.stats:
		return ipvstext.Stats
	case f.rate:
		return ipvstext.Rate
	case f.thresholds:
		return ipvstext.Thresholds
	case f.persistent:
		return ipvstext.PersistentConn
	case f.tunnel:
		return ipvstext.TunnelInfo
	}
	return ipvstext.Weights
}

func (f *listFlags) list(command *cobra.Command, k *ipvsctl.Linux) error {
	out := command.OutOrStdout()
	if f.output == "json" && (f.timeout || f.daemon) {
		return &exitError{code: exitUsage, err: errors.New("--timeout and --daemon are only shown as text")}
	}
	switch {
	case f.connections:
		return writeConnections(command, k, f.output, f.persistent, f.names)
	case f.timeout:
		timeouts, err := k.Timeouts()
		if err != nil {
			return err
		}
		return ipvstext.Timeouts(out, timeouts)
	case f.daemon:
		daemons, err := k.Daemons()
		if err != nil {
			return err
		}
		return ipvstext.Daemons(out, daemons)
	}
	only, named, err := f.service.service()
	if err != nil {
		return err
	}
	entries, err := k.List()
	if err != nil {
		return err
	}
	if named {
		entries = slices.DeleteFunc(entries, func(e ipvsctl.ServiceEntry) bool { return e.Service.ID != only.Normal() })
		if len(entries) == 0 {
			return fmt.Errorf("no such service: %s", only)
		}
	}
	if f.output == "json" {
		return ipvstext.ListJSON(out, entries)
	}
	return ipvstext.List(out, k.Info(), entries, ipvstext.ListOptions{
		View: f.view(), Exact: f.exact, NoSort: f.noSort, Single: named, Names: systemNames(command, f.names),
	})
}

// namesFlags add the options that say whether names are looked up.
func namesFlags(command *cobra.Command, names *bool) {
	command.Flags().BoolVar(names, "names", false, "look up the names of addresses and ports, as ipvsadm does without -n")
	command.Flags().BoolP("numeric", "n", true, "show numbers, which is the default")
	command.MarkFlagsMutuallyExclusive("names", "numeric")
}

// systemNames returns the system's names if they are asked for.
func systemNames(command *cobra.Command, asked bool) *ipvstext.Names {
	if !asked {
		return nil
	}
	return ipvstext.SystemNames(command.Context())
}

func newIPVSConnectionsCommand() *cobra.Command {
	var persistent, names bool
	var output string
	command := &cobra.Command{
		Use:   "connections",
		Short: "List the connections, as ipvsadm -Lnc",
		Args:  cobra.NoArgs,
	}
	netns := netnsFlag(command)
	command.Flags().BoolVar(&persistent, "persistent-conn", false, "show what the persistence engine goes by")
	command.Flags().StringVarP(&output, "output", "o", "text", "text or json, one object a line")
	namesFlags(command, &names)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if output != "text" && output != "json" {
			return &exitError{code: exitUsage, err: fmt.Errorf("--output %s is neither text nor json", output)}
		}
		return withIPVS(*netns, func(k *ipvsctl.Linux) error { return writeConnections(command, k, output, persistent, names) })
	}
	return command
}

func writeConnections(command *cobra.Command, k *ipvsctl.Linux, output string, persistent, names bool) error {
	if output == "json" {
		return ipvstext.ConnectionsJSON(command.OutOrStdout(), k.ConnectionTable())
	}
	return ipvstext.Connections(command.OutOrStdout(), k.ConnectionTable(), persistent, systemNames(command, names))
}
