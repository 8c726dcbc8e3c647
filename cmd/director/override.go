package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/api"
)

// waitInterval is how often --wait counts the connections that are left.
const waitInterval = time.Second

// targetHelp tells how every command of this file names its real servers.
const targetHelp = `
REAL is address:port, or an address for every port of that host, or "all" for every
real server of VIRTUAL. Without VIRTUAL it is meant wherever it is configured. What
is asked for survives reloads and restarts until director enable takes it back.`

// overrideFlags are the options of drain, disable, weight and enable.
type overrideFlags struct {
	daemonFlags
	reason  string
	wait    bool
	timeout time.Duration
}

func newDrainCommand() *cobra.Command {
	var f overrideFlags
	command := &cobra.Command{
		Use:   "drain [VIRTUAL] REAL",
		Short: "Send real servers no new connections",
		Long:  "Set the weight of real servers to 0: established connections live, new ones go elsewhere.\n" + targetHelp,
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, args []string) error {
			return f.apply(command, args, api.Override{Mode: "drain"})
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(realNames)
	f.registerReason(command)
	f.registerWait(command)
	return command
}

func newDisableCommand() *cobra.Command {
	var f overrideFlags
	command := &cobra.Command{
		Use:   "disable [VIRTUAL] REAL",
		Short: "Take real servers out of the table",
		Long:  "Take real servers out of the kernel's table; their connections end. To let them live, drain --wait first.\n" + targetHelp,
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, args []string) error {
			return f.apply(command, args, api.Override{Mode: "disable"})
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(realNames)
	f.registerReason(command)
	return command
}

func newWeightCommand() *cobra.Command {
	var f overrideFlags
	command := &cobra.Command{
		Use:   "weight [VIRTUAL] REAL WEIGHT",
		Short: "Give real servers another weight",
		Long:  "Give real servers another weight than the configured one, while they are up.\n" + targetHelp,
		Args:  cobra.RangeArgs(2, 3),
		RunE: func(command *cobra.Command, args []string) error {
			last := len(args) - 1
			weight, err := strconv.ParseUint(args[last], 10, 31)
			if err != nil {
				return &exitError{code: exitUsage, err: fmt.Errorf("weight %q is no number from 0 to 2147483647", args[last])}
			}
			return f.apply(command, args[:last], api.Override{Mode: "weight", Weight: uint32(weight)})
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(realNames)
	f.registerReason(command)
	return command
}

func newEnableCommand() *cobra.Command {
	var f overrideFlags
	command := &cobra.Command{
		Use:     "enable [VIRTUAL] REAL",
		Aliases: []string{"undrain"},
		Short:   "Take back drain, disable or weight",
		Long:    "Take back what drain, disable or weight asked for: real servers are as configured and as healthy as their checks say.\n" + targetHelp,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, args []string) error {
			return f.apply(command, args, api.Override{Mode: "none"})
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(realNames)
	return command
}

func (f *overrideFlags) registerReason(command *cobra.Command) {
	command.Flags().StringVarP(&f.reason, "reason", "m", "", "why, for the events and for the colleague who finds it")
}

func (f *overrideFlags) registerWait(command *cobra.Command) {
	command.Flags().BoolVarP(&f.wait, "wait", "w", false, "return when the last connection has ended")
	command.Flags().DurationVar(&f.timeout, "timeout", 0, "how long --wait waits at most; 0 is as long as it takes")
}

// apply asks the daemon and says what has changed.
func (f *overrideFlags) apply(command *cobra.Command, args []string, o api.Override) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	defer client.Close()
	o.RealServer, o.Reason = args[len(args)-1], f.reason
	if len(args) == 2 {
		o.VirtualServer = args[0]
	}
	ctx, stop := signal.NotifyContext(command.Context(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	n, err := client.SetOverride(ctx, o)
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if n == 0 {
		_, err = fmt.Fprintln(out, "nothing to change: it was so already")
	} else {
		_, err = fmt.Fprintf(out, "%s changed\n", count(n, "real server"))
	}
	if err != nil || !f.wait {
		return err
	}
	return f.await(ctx, client, o, out)
}

// await returns when the real servers have no connections left.
func (f *overrideFlags) await(ctx context.Context, client *api.Client, o api.Override, out io.Writer) error {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	for told := -1; ; {
		left, err := client.Connections(ctx, o.VirtualServer, o.RealServer)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("wait for connections to end: %w", context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("wait for connections to end: %w", err)
		}
		if left != told {
			if _, err := fmt.Fprintf(out, "%s left\n", count(left, "connection")); err != nil {
				return err
			}
			told = left
		}
		if left == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for connections to end: %s left: %w", count(left, "connection"), context.Cause(ctx))
		}
	}
}
