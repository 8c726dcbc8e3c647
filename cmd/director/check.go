package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/engine"
)

func newCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check",
		Short: "Try out health checks",
	}
	command.AddCommand(newCheckRunCommand())
	return command
}

func newCheckRunCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "run NAME [REAL]",
		Short: "Run a check of the configuration once, and show what it saw",
		Long: `Run the check of that name, or of that kind if it has no name, once against each real
server, or sorry server, that it is configured for, or only against REAL (address:port,
or an address), exactly as the daemon would: same parameters, account, environment and
time limit.
The daemon is not told, and needed only for checks with through = "forwarding",
which go by rows that it keeps in the kernel.

The exit code is 1 when one of them is not up.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, args []string) error {
			config, err := conf.Load(path)
			if err != nil {
				return explain(err, path, command.ErrOrStderr())
			}
			target := engine.Target{}
			if len(args) == 2 {
				if target, err = engine.ParseTarget("", args[1]); err != nil {
					return &exitError{code: exitUsage, err: err}
				}
			}
			ctx, stop := signal.NotifyContext(command.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runChecks(ctx, config, args[0], target, command.OutOrStdout())
		},
	}
	configFlag(command, &path)
	return command
}

// runChecks runs every probe that the name and target mean, each once.
func runChecks(ctx context.Context, config *conf.Config, name string, target engine.Target, out io.Writer) error {
	asked := make(map[string]bool)
	ways := engine.ProbeWays(config, zap.NewNop())
	failed := 0
	for _, vs := range config.VirtualServers {
		for r := range vs.Servers() {
			if !target.Matches(vs.Name, r.Address()) {
				continue
			}
			for _, c := range r.Checks {
				key := c.Monitor.Probe.Key()
				if !c.Called(name) || asked[key] {
					continue
				}
				asked[key] = true
				probe := ctx
				if c.Way != nil {
					probe = checks.WithWay(ctx, ways[c.Way.Name])
				}
				seen := runOnce(probe, c.Monitor)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if !seen.OK {
					failed++
				}
				if err := writeObservation(out, r.Address().String(), c, seen); err != nil {
					return err
				}
			}
		}
	}
	switch {
	case len(asked) == 0:
		return fmt.Errorf("no check %q is configured for such a real server", name)
	case failed > 0:
		return &exitError{code: exitFailure, err: fmt.Errorf("%d of %s failed", failed, count(len(asked), "probe"))}
	}
	return nil
}

// runOnce runs a monitor's probe within its deadline.
func runOnce(ctx context.Context, m checks.Monitor) checks.Observation {
	ctx, cancel := checks.WithTimeout(ctx, m.Timeout)
	defer cancel()
	return m.Probe.Run(ctx)
}

// writeObservation writes all that a probe saw.
func writeObservation(out io.Writer, address string, c conf.Check, seen checks.Observation) error {
	verdict := "ok"
	if !seen.OK {
		verdict = "FAILED"
	}
	text := fmt.Sprintf("%s %s (%s): %s in %v of %v\n", address, c.Name, c.Monitor.Probe.Kind(), verdict,
		seen.Latency.Round(time.Microsecond), c.Monitor.Timeout)
	line := func(label, value string) {
		if value != "" {
			text += fmt.Sprintf("  %-8s %s\n", label, value)
		}
	}
	line("reason", seen.Reason)
	line("status", seen.Status)
	if seen.Weight != nil {
		line("weight", fmt.Sprint(*seen.Weight))
	}
	if seen.Ours {
		line("note", "this says nothing about the server: something is missing on this machine")
	}
	_, err := io.WriteString(out, text)
	return err
}
