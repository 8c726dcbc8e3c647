package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

func newIPVSSaveCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "save",
		Short: "Write the table as rules, as ipvsadm -Sn",
		Long: `Write the table as rules that director ipvs restore and ipvsadm -R read. As with ipvsadm,
the connection limits (-x, -y) are not among them.`,
		Args: cobra.NoArgs,
	}
	netns := netnsFlag(command)
	command.Flags().BoolP("numeric", "n", true, "write numbers, which is always so")
	command.RunE = func(command *cobra.Command, _ []string) error {
		return withIPVS(*netns, func(k *ipvsctl.Linux) error {
			entries, err := k.List()
			if err != nil {
				return err
			}
			return ipvstext.Save(command.OutOrStdout(), entries)
		})
	}
	return command
}

func newIPVSRestoreCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "restore",
		Short: "Do the rules on standard input, as ipvsadm -R",
		Long: `Do the rules on standard input, which ipvsadm -Sn or director ipvs save have written. If a line
cannot be read, nothing is done. What is in the table already stays there.`,
		Args: cobra.NoArgs,
	}
	netns := netnsFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		ops, err := ipvstext.Restore(command.InOrStdin())
		if err != nil {
			return err
		}
		return withIPVS(*netns, func(k *ipvsctl.Linux) error { return doOps(k, ops) })
	}
	return command
}

// doOps does the operations and tells of each that failed.
func doOps(k *ipvsctl.Linux, ops []ipvsctl.Op) error {
	err := k.Do(ops)
	if b, ok := errors.AsType[*ipvsctl.BatchError](err); ok {
		return errors.Join(b.Unwrap()...)
	}
	return err
}

// ruleHelp tells of the options that ipvstext reads.
const ruleHelp = `A service is named by -t, -u or --sctp-service ADDRESS:PORT, or -f FWMARK (-6 for IPv6).

Of a service: -s SCHEDULER (wlc), -p [SECONDS] (360), -M MASK, --pe ENGINE, -o, -b FLAGS.
Of a destination: -r ADDRESS[:PORT], then -m (NAT), -g (direct routing, the default) or -i (tunnel), -w WEIGHT (1),
-x and -y LIMIT, --tun-type ipip|gue|gre, --tun-port PORT, --tun-csum, --tun-remcsum, --tun-nocsum.
The long names are ipvsadm's. --netns FILE comes first.`

// newIPVSRuleCommand makes the command that adds, edits or deletes a service or,
// with -r, a destination. Its options are read by the parser of rules: ipvsadm's
// -p has a value or not, which cobra cannot tell apart.
func newIPVSRuleCommand(verb, service, destination string) *cobra.Command {
	return &cobra.Command{
		Use:                verb + " [OPTIONS]",
		Short:              strings.ToUpper(verb[:1]) + verb[1:] + " a service or a destination, as ipvsadm " + service + " and " + destination,
		Long:               ruleHelp,
		DisableFlagParsing: true,
		RunE: func(command *cobra.Command, args []string) error {
			return runRule(command, args, func(args []string) []string {
				kind := service
				for _, a := range args {
					if name, _, _ := strings.Cut(a, "="); name == "-r" || name == "--real-server" {
						kind = destination
					}
				}
				return append([]string{kind}, args...)
			})
		},
	}
}

// runRule does what the arguments of a command without cobra's flags say.
func runRule(command *cobra.Command, args []string, rule func([]string) []string) error {
	netns := ""
	if len(args) > 1 && args[0] == "--netns" {
		netns, args = args[1], args[2:]
	}
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		return command.Help()
	}
	op, err := ipvstext.ParseArgs(rule(args))
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	return withIPVS(netns, func(k *ipvsctl.Linux) error { return doOps(k, []ipvsctl.Op{op}) })
}

func newIPVSZeroCommand() *cobra.Command {
	var service serviceFlags
	command := &cobra.Command{
		Use:   "zero",
		Short: "Set the counters to zero, as ipvsadm -Z",
		Args:  cobra.NoArgs,
	}
	netns := netnsFlag(command)
	service.register(command)
	command.RunE = func(*cobra.Command, []string) error {
		id, named, err := service.service()
		if err != nil {
			return err
		}
		var ids []ipvsctl.ServiceID
		if named {
			ids = append(ids, id)
		}
		return withIPVS(*netns, func(k *ipvsctl.Linux) error { return k.Zero(ids...) })
	}
	return command
}

func newIPVSClearCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "clear",
		Short: "Remove every service, as ipvsadm -C",
		Args:  cobra.NoArgs,
	}
	netns := netnsFlag(command)
	command.RunE = func(*cobra.Command, []string) error {
		return withIPVS(*netns, (*ipvsctl.Linux).Clear)
	}
	return command
}

func newIPVSTimeoutsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "timeouts [TCP TCPFIN UDP]",
		Short: "Show or set the connection time-outs in seconds, as ipvsadm --set",
		Long:  "Show the connection time-outs, or set them to so many seconds. 0 leaves one as it is.",
		Args: cobra.MatchAll(cobra.RangeArgs(0, 3), func(_ *cobra.Command, args []string) error {
			if n := len(args); n != 0 && n != 3 {
				return fmt.Errorf("three numbers of seconds, or none, not %d", n)
			}
			return nil
		}),
	}
	netns := netnsFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) == 3 {
			op, err := ipvstext.ParseArgs(append([]string{"--set"}, args...))
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			return withIPVS(*netns, func(k *ipvsctl.Linux) error { return doOps(k, []ipvsctl.Op{op}) })
		}
		return withIPVS(*netns, func(k *ipvsctl.Linux) error {
			timeouts, err := k.Timeouts()
			if err != nil {
				return err
			}
			return ipvstext.Timeouts(command.OutOrStdout(), timeouts)
		})
	}
	return command
}

func newIPVSDaemonCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "daemon",
		Short: "Show, start or stop the connection-sync daemons",
		Args:  cobra.NoArgs,
	}
	netns := netnsFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		return withIPVS(*netns, func(k *ipvsctl.Linux) error {
			daemons, err := k.Daemons()
			if err != nil {
				return err
			}
			return ipvstext.Daemons(command.OutOrStdout(), daemons)
		})
	}
	for _, verb := range []string{"start", "stop"} {
		command.AddCommand(&cobra.Command{
			Use:   verb + " master|backup [OPTIONS]",
			Short: strings.ToUpper(verb[:1]) + verb[1:] + " a sync daemon, as ipvsadm --" + verb + "-daemon",
			Long: "The options of start: --mcast-interface NAME, --syncid ID, --sync-maxlen BYTES, --mcast-group ADDRESS,\n" +
				"--mcast-port PORT, --mcast-ttl TTL. --netns FILE comes first.",
			DisableFlagParsing: true,
			RunE: func(command *cobra.Command, args []string) error {
				return runRule(command, args, func(args []string) []string { return append([]string{"--" + verb + "-daemon"}, args...) })
			},
		})
	}
	return command
}
