package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/checks"
	"github.com/lvs-director/director/conf"
	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/bfd"
	"github.com/lvs-director/director/internal/engine"
	"github.com/lvs-director/director/internal/logging"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/vrrp/worker"
)

// daemon is the engine with everything that is wired around it.
type daemon struct {
	path    string // of the configuration
	stderr  io.Writer
	signals <-chan os.Signal
	open    func() (ipvsctl.Kernel, error)
	marks   engine.MarkKernel

	loader *conf.Loader
	level  zap.AtomicLevel
	log    *zap.Logger
	sink   logging.Sink
	engine *engine.Engine
	leave  context.CancelCauseFunc // ends the engine
}

// run is the whole life of the daemon. It returns nil when a signal ended it.
func (d *daemon) run(ctx context.Context) error {
	d.loader = conf.NewLoader(d.path)
	config, err := d.loader.Load()
	if err != nil {
		return explain(err, d.path, d.stderr)
	}
	closeLog, err := d.openLog(config.Log)
	if err != nil {
		return err
	}
	defer closeLog()
	if err := makeDirectories(config); err != nil {
		return err
	}
	socket, err := api.ListenSocket(config.API.Socket)
	if err != nil {
		return err
	}
	defer socket.Close()
	state, err := engine.LockState(config.StateDir)
	if err != nil {
		return err
	}
	defer state.Close()
	var listen net.Listener
	if config.API.Listen != "" {
		if listen, err = net.Listen("tcp", config.API.Listen); err != nil {
			return fmt.Errorf("serve api: %w", err)
		}
	}
	router, err := worker.NewClient(worker.Options{
		RuntimeDir: config.RuntimeDir,
		Args:       workerLogArgs(config.Log),
		Log:        d.log.Named("vrrp"),
	})
	if err != nil {
		return err
	}
	d.engine = engine.New(engine.Options{
		Log:    d.log,
		Config: config,
		Loader: d.follow(config),
		Open:   d.open,
		Marks:  d.marks,
		Router: router,
		Pool:   checks.NewPool(),

		Sessions: bfd.NewSpeaker(d.log.Named("bfd"), bfd.Linux{}),
		Settings: "/proc/sys",
		Version:  version,
	})
	server := api.New(api.Options{
		Log: d.log.Named("api"), Level: d.level,
		Engine: notifying{d.engine}, Change: d.engine, Journal: d.engine.Journal(),
		Control: socket, Listen: listen,
	})
	return d.serve(ctx, server)
}

// serve runs the engine and what serves it. The engine ends first, so that the
// API tells about the stop until it is over.
func (d *daemon) serve(ctx context.Context, server *api.Server) error {
	engineCtx, leave := context.WithCancelCause(ctx)
	d.leave = leave
	outerCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var outer sync.WaitGroup
	var serveErr error
	outer.Go(func() {
		if serveErr = server.Run(outerCtx); serveErr != nil {
			leave(engine.ErrLeave) // nobody could speak to us any more: let a successor try
		}
	})
	outer.Go(func() { d.obey(outerCtx) })
	outer.Go(func() { keepNotified(outerCtx, d.engine) })
	outer.Go(func() { d.tellRefusal(outerCtx) })
	err := d.engine.Run(engineCtx)
	stop()
	leave(nil)
	outer.Wait()
	return errors.Join(err, serveErr)
}

// obey does what signals ask for until ctx is done.
func (d *daemon) obey(ctx context.Context) {
	var reloads sync.WaitGroup
	defer reloads.Wait()
	for {
		select {
		case s := <-d.signals:
			switch s {
			case unix.SIGHUP:
				// The outcome is an event, and so in the log already.
				reloads.Go(func() { _ = notifying{d.engine}.Reload(engine.WithOperator(ctx, "SIGHUP")) })
			case unix.SIGUSR1:
				d.sink.Reopen()
				d.log.Info("log opened anew")
			case unix.SIGUSR2:
				notify("STOPPING=1")
				d.leave(engine.ErrLeave)
			default:
				notify("STOPPING=1")
				d.leave(fmt.Errorf("stopped by %v", s))
			}
		case <-ctx.Done():
			return
		}
	}
}

// tellRefusal logs that scripts run without their limits, the first time that one does.
func (d *daemon) tellRefusal(ctx context.Context) {
	select {
	case err := <-checks.LimitsRefused():
		d.log.Warn("scripts run without their limits", zap.Error(err))
	case <-ctx.Done():
	}
}

// openLog makes the logger that the configuration wants. What it returns writes
// the lines that are left, and closes the log.
func (d *daemon) openLog(c conf.Log) (func(), error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	d.level = zap.NewAtomicLevelAt(level)
	options := logging.Options{Format: c.Format, File: c.File, Level: d.level, Stderr: d.stderr}
	if d.sink, err = logging.Open(options); err != nil {
		return nil, err
	}
	queue := logging.NewQueue(d.sink)
	if d.log, err = logging.NewLogger(options, queue); err != nil {
		return nil, errors.Join(err, d.sink.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	writing.Go(func() { queue.Run(ctx, d.log) })
	return func() {
		stop()
		writing.Wait()
		d.sink.Close()
	}, nil
}

// follow returns the engine's loader. What of a new configuration is not the
// engine's is done here: the log's level is followed, the rest needs a restart
// and says so.
func (d *daemon) follow(running *conf.Config) func() (*conf.Config, error) {
	fixed, level := running, running.Log.Level
	return func() (*conf.Config, error) {
		config, err := d.loader.Load()
		if err != nil {
			return nil, err
		}
		if config.Log.Level != level {
			level = config.Log.Level
			if l, err := zapcore.ParseLevel(level); err == nil {
				d.level.SetLevel(l)
			}
		}
		for _, c := range []struct {
			name     string
			old, new any
		}{
			{"runtime_dir", fixed.RuntimeDir, config.RuntimeDir},
			{"state_dir", fixed.StateDir, config.StateDir},
			{"log.format", fixed.Log.Format, config.Log.Format},
			{"log.file", fixed.Log.File, config.Log.File},
			{"api.socket", fixed.API.Socket, config.API.Socket},
			{"api.listen", fixed.API.Listen, config.API.Listen},
		} {
			if c.old != c.new {
				d.log.Warn("a changed setting needs a restart", zap.String("setting", c.name),
					zap.Any("running", c.old), zap.Any("configured", c.new))
			}
		}
		return config, nil
	}
}

// makeDirectories makes the directories that the daemon writes to, for itself
// and its group. One that exists keeps the mode that somebody gave it.
func makeDirectories(config *conf.Config) error {
	for _, dir := range []string{config.RuntimeDir, config.StateDir, filepath.Dir(config.API.Socket)} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	return nil
}
