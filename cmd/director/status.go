package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/console"
	"github.com/lvs-director/director/internal/engine"
)

// statusFlags are the options of `director status`.
type statusFlags struct {
	daemonFlags
	json, watch, problems, exitCode bool
	interval                        time.Duration
}

func newStatusCommand() *cobra.Command {
	var f statusFlags
	command := &cobra.Command{
		Use:   "status [VIRTUAL_SERVER]...",
		Short: "Show what is up, what is not and why",
		Long: `Show what is up, what is not and why: problems first, then the VRRP groups and the
virtual servers, or only those that are named.

With --exit-code, the exit code is 3 when there is a problem.`,
		RunE: func(command *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := signal.NotifyContext(command.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			if f.watch {
				return f.repeat(ctx, client, args, command.OutOrStdout())
			}
			return f.once(ctx, client, args, command.OutOrStdout())
		},
	}
	f.register(command)
	command.ValidArgsFunction = f.completeFrom(virtualNames)
	flags := command.Flags()
	flags.BoolVar(&f.json, "json", false, "print the whole status as JSON")
	flags.BoolVarP(&f.watch, "watch", "w", false, "show it again and again until Ctrl-C")
	flags.DurationVarP(&f.interval, "interval", "n", time.Second, "time between two looks of --watch")
	flags.BoolVarP(&f.problems, "problems", "p", false, "show only what is wrong, all of it")
	flags.BoolVar(&f.exitCode, "exit-code", false, "exit with 3 when something is wrong")
	command.MarkFlagsMutuallyExclusive("json", "watch")
	command.MarkFlagsMutuallyExclusive("json", "problems")
	command.MarkFlagsMutuallyExclusive("exit-code", "watch")
	return command
}

// once shows the status and looks for problems if asked to.
func (f *statusFlags) once(ctx context.Context, client *api.Client, names []string, out io.Writer) error {
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if err := known(status, names); err != nil {
		return err
	}
	style := console.Style{Color: screenOf(out).color, Now: time.Now()}
	if f.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(status)
	} else {
		_, err = io.WriteString(out, style.Status(status, console.View{Problems: f.problems, VirtualServers: names}))
	}
	if err == nil && f.exitCode && slices.ContainsFunc(style.Problems(status), console.Problem.Matters) {
		return &exitError{code: exitFinding}
	}
	return err
}

// repeat shows the status on the whole terminal until ctx is done. A daemon
// that is away, during a restart, is looked for again.
func (f *statusFlags) repeat(ctx context.Context, client *api.Client, names []string, out io.Writer) error {
	tick := time.NewTicker(max(f.interval, 100*time.Millisecond))
	defer tick.Stop()
	for first := true; ; {
		screen := screenOf(out)
		status, err := client.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			if err = known(status, names); err != nil && first {
				return err
			}
			first = false // later it may have gone by a reload
		}
		text := fmt.Sprintf("director: %v\n", err)
		if err == nil {
			style := console.Style{Color: screen.color, Now: time.Now()}
			text = style.Status(status, console.View{Problems: f.problems, VirtualServers: names})
		}
		if screen.height > 0 {
			text = console.Screen(text, screen.width, screen.height)
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_, err := fmt.Fprintln(out) // the shell's prompt begins a line
			return err
		}
	}
}

// known says which of the names is no virtual server.
func known(status *engine.Status, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(status.VirtualServers, func(v *engine.ServiceStatus) bool { return v.Name == name }) {
			return fmt.Errorf("no virtual server %q", name)
		}
	}
	return nil
}
