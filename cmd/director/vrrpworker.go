package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/logging"
	"github.com/lvs-director/director/vrrp"
	"github.com/lvs-director/director/vrrp/worker"
)

// workerLogArgs are the options that make the VRRP process log as we do.
func workerLogArgs(c conf.Log) []string {
	return []string{"--log-level", c.Level, "--log-format", c.Format, "--log-file", c.File}
}

func newVRRPWorkerCommand() *cobra.Command {
	var process worker.Process
	var log conf.Log
	command := &cobra.Command{
		Use:    worker.Command,
		Short:  "Run VRRP; the daemon starts this itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			level, err := zap.ParseAtomicLevel(log.Level)
			if err != nil {
				return fmt.Errorf("open log: %w", err)
			}
			options := logging.Options{Format: log.Format, File: log.File, Level: level, Stderr: command.ErrOrStderr()}
			sink, err := logging.Open(options)
			if err != nil {
				return err
			}
			defer sink.Close()
			if _, err := logging.NewLogger(options, sink); err != nil {
				return err // the same options fail or work for any writer
			}
			process.Log = sink
			process.NewLogger = func(w zapcore.WriteSyncer) *zap.Logger {
				log, err := logging.NewLogger(options, w)
				if err != nil {
					return zap.NewNop()
				}
				return log.Named("vrrp")
			}
			process.NewRouter = func(log *zap.Logger) vrrp.Router { return vrrp.NewRouter(log) }
			return worker.Main(process)
		},
	}
	flags := command.Flags()
	flags.StringVar(&process.Socket, "socket", "", "where the engine finds this process")
	flags.IntVar(&process.EngineFD, "engine-fd", 0, "open file that is connected to the engine")
	flags.StringVar(&log.Level, "log-level", "info", "what is logged")
	flags.StringVar(&log.Format, "log-format", "console", "how it is logged")
	flags.StringVar(&log.File, "log-file", "", "where it is logged, unless standard error")
	if err := command.MarkFlagRequired("socket"); err != nil {
		panic(err) // no such flag
	}
	return command
}
