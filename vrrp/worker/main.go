// Package worker runs VRRP in a process of its own, and is the link between
// that process and the engine.
//
// The worker is the same program, started with a hidden subcommand. It reads
// no configuration, runs no probe and hardly allocates; it has a real-time
// priority and locked memory, so that an advertisement leaves on time whatever
// the rest of the machine does. It listens on a unix socket in the runtime
// directory. The engine (Client) finds it there or starts it, and either may
// lose the other and find it again: an engine can crash, be upgraded or
// restarted without a change of mastership, and a worker that dies is started
// again. A worker to which no engine speaks gives mastership up after
// vrrp.Config.EngineGrace, and ends some time later.
//
// What crosses the socket are the types of package vrrp and nothing else: the
// engine's Commands one way, Reports the other.
package worker

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/vrrp"
)

// Process is what a worker process is made of.
type Process struct {
	Socket   string
	EngineFD int       // open file that is connected to an engine; 0 if there is none
	Log      io.Writer // where log lines go; it may block

	// The one who builds the program knows how its log looks and what VRRP is made of.
	NewLogger func(zapcore.WriteSyncer) *zap.Logger
	NewRouter func(*zap.Logger) vrrp.Router
}

// processName is what ps, top and pgrep call a worker. The kernel would name it
// after the file that it was started from, /proc/self/exe.
const processName = "director-vrrp"

// Main is the whole life of a worker process. It returns when it was told to
// end, by the engine or by SIGTERM, and has left mastership by rule.
func Main(p Process) error {
	// The engine may die with the other end of our standard error: SIGPIPE
	// must not take us with it. SIGHUP means a reload, which is not for us.
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP, unix.SIGINT)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()

	queue := newLineQueue(p.Log)
	log := p.NewLogger(queue)
	defer queue.start(log)()

	if err := os.WriteFile("/proc/self/comm", []byte(processName), 0); err != nil {
		log.Debug("cannot name the process", zap.Error(err))
	}
	limitHeap()
	becomePunctual(log)
	err := p.serve(ctx, log)
	if err != nil {
		log.Error("VRRP worker failed", zap.Error(err))
	}
	return err
}

func (p Process) serve(ctx context.Context, log *zap.Logger) error {
	var first net.Conn
	if p.EngineFD > 0 {
		f := os.NewFile(uintptr(p.EngineFD), "engine")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("take over engine's connection: %w", err)
		}
		defer conn.Close()
		first = conn
	}
	ln, err := listen(ctx, p.Socket, log)
	if err != nil {
		return err
	}
	defer ln.release()
	return Serve(ctx, ln, first, p.NewRouter(log), log)
}
