package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/engine"
	"github.com/lvs-director/director/internal/logging"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/marks"
)

func newPlanCommand() *cobra.Command {
	var path string
	var exitCode bool
	command := &cobra.Command{
		Use:   "plan",
		Short: "Show what a configuration would change in the kernel",
		Long: `Show the difference between a configuration and the kernel's table, as the operations
that would be done, in their order, spelt like ipvsadm commands. Nothing is changed.

If the daemon runs, it is asked which real servers are up, and the plan is what a
reload would do; if not, it is what a start would do first.

With --exit-code, the exit code is 3 when there is something to do.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := conf.Load(path)
			if err != nil {
				return explain(err, path, command.ErrOrStderr())
			}
			have, err := readKernel()
			if err != nil {
				return err
			}
			running, err := runningStatus(command.Context(), config.API.Socket)
			if err != nil {
				fmt.Fprintf(command.ErrOrStderr(), "director: %v\nThe plan is that of a start: health is not known.\n", err)
			}
			log, _, err := logging.New(logging.Options{
				Format: "console", Level: zap.NewAtomicLevelAt(zapcore.WarnLevel), Stderr: command.ErrOrStderr(),
			})
			if err != nil {
				return err
			}
			ops, err := engine.Preview(config, have, running, log)
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			changes, err := engine.PreviewMarks(config, marks.Linux{}, log)
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			for _, op := range ops {
				if _, err := fmt.Fprintln(command.OutOrStdout(), op); err != nil {
					return err
				}
			}
			for _, c := range changes {
				if _, err := fmt.Fprintln(command.OutOrStdout(), c); err != nil {
					return err
				}
			}
			if len(ops)+len(changes) > 0 && exitCode {
				return &exitError{code: exitFinding}
			}
			return nil
		},
	}
	configFlag(command, &path)
	command.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 when there is something to do")
	return command
}

// readKernel returns what the kernel's table holds now.
func readKernel() (ipvsctl.Table, error) {
	kernel, err := ipvsctl.Open(ipvsctl.Options{})
	if err != nil {
		return ipvsctl.Table{}, err
	}
	have, err := kernel.Dump()
	return have, errors.Join(err, kernel.Close())
}

// runningStatus asks the daemon, if one runs.
func runningStatus(ctx context.Context, socket string) (*engine.Status, error) {
	client := api.NewClient(socket)
	defer client.Close()
	return client.Status(ctx)
}
