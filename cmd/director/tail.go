package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/console"
	"github.com/lvs-director/director/internal/engine"
)

// tailFlags are the options of `director tail`.
type tailFlags struct {
	daemonFlags
	query api.Query
	kinds []string
	since string
	json  bool
}

func newTailCommand() *cobra.Command {
	var f tailFlags
	command := &cobra.Command{
		Use:   "tail",
		Short: "Show events, past and live",
		Long: `Show the newest events, and with --follow those that come. Filters narrow it down; an
event must pass all of them.

Kinds: ` + kindNames() + `.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := f.finish(time.Now()); err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := signal.NotifyContext(command.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return f.show(ctx, client, command.OutOrStdout())
		},
	}
	f.register(command)
	flags := command.Flags()
	flags.BoolVarP(&f.query.Follow, "follow", "f", false, "go on with new events until Ctrl-C")
	flags.IntVarP(&f.query.Recent, "lines", "n", 20, "how many past events at most; 0 is all")
	flags.BoolVar(&f.json, "json", false, "print each event as a line of JSON")
	flags.StringSliceVarP(&f.kinds, "kind", "k", nil, "only events of these kinds")
	flags.StringVarP(&f.query.VirtualServer, "virtual-server", "v", "", "only events of this virtual server")
	flags.StringVarP(&f.query.RealServer, "real-server", "r", "", "only events of this real server, as address:port or address")
	flags.StringVarP(&f.query.Group, "group", "g", "", "only events of this VRRP group")
	flags.StringVar(&f.query.Check, "check", "", "only events of this check")
	flags.StringVar(&f.query.Session, "session", "", "only events of this BFD session")
	for flag, complete := range map[string]completion{
		"kind":           cobra.FixedCompletions(strings.Split(kindNames(), ", "), cobra.ShellCompDirectiveNoFileComp),
		"virtual-server": f.completeFrom(virtualNames),
		"group":          f.completeFrom(groupNames),
	} {
		if err := command.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // a flag of another name: the programmer's error
		}
	}
	flags.StringVar(&f.since, "since", "", `only events since then: "10m" ago or a time, "2006-01-02T15:04:05Z"`)
	return command
}

// finish turns what the flags spell into the query.
func (f *tailFlags) finish(now time.Time) error {
	for _, name := range f.kinds {
		if !slices.Contains(engine.Kinds(), engine.Kind(name)) {
			return fmt.Errorf("--kind: %q is none of %s", name, kindNames())
		}
		f.query.Kinds = append(f.query.Kinds, engine.Kind(name))
	}
	if n := f.query.Recent; n < 0 || n > api.MaxRecent {
		return fmt.Errorf("--lines: %d is not within 0–%d", n, api.MaxRecent)
	}
	if f.since == "" {
		return nil
	}
	if d, err := time.ParseDuration(f.since); err == nil {
		f.query.Since = now.Add(-d)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, f.since, now.Location()); err == nil {
			f.query.Since = t
			return nil
		}
	}
	return fmt.Errorf("--since: %q is neither a duration nor a time", f.since)
}

func kindNames() string {
	var names []string
	for _, k := range engine.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (f *tailFlags) show(ctx context.Context, client *api.Client, out io.Writer) error {
	style := console.Style{Color: screenOf(out).color}
	encoder := json.NewEncoder(out)
	for event, err := range client.Events(ctx, f.query) {
		if err != nil {
			return err
		}
		if f.json {
			err = encoder.Encode(event)
		} else {
			_, err = fmt.Fprintln(out, style.Event(event, time.Local))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
