package worker

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/vrrp"
)

// The test binary is also the worker, and an engine to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case Command:
			os.Exit(workerMain(os.Args[2:]))
		case "test-engine":
			os.Exit(engineMain(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// realRouter, set in the environment, makes workers run VRRP in earnest.
const realRouter = "DIRECTOR_TEST_REAL_ROUTER"

// workerMain is a worker process around a fake router.
func workerMain(args []string) int {
	flags := flag.NewFlagSet(Command, flag.ExitOnError)
	level := zap.DebugLevel
	if os.Getenv(realRouter) != "" {
		level = zap.ErrorLevel // the tests are told all that happens
	}
	p := Process{
		Log: os.Stderr,
		NewLogger: func(w zapcore.WriteSyncer) *zap.Logger {
			return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), w, level))
		},
		NewRouter: func(log *zap.Logger) vrrp.Router {
			if os.Getenv(realRouter) != "" {
				return vrrp.NewRouter(log)
			}
			r := newFakeRouter()
			r.note = strconv.Itoa(os.Getpid())
			return r
		},
	}
	flags.StringVar(&p.Socket, "socket", "", "")
	flags.IntVar(&p.EngineFD, "engine-fd", 0, "")
	protocol := flags.Int("protocol", 0, "speak another protocol")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *protocol != 0 {
		return strangeWorker(p, *protocol)
	}
	if err := Main(p); err != nil {
		return 1
	}
	return 0
}

// strangeWorker is a worker of another version.
func strangeWorker(p Process, protocol int) int {
	log := zap.NewNop()
	ln, err := listen(context.Background(), p.Socket, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer ln.release()
	fmt.Println("listening")
	s := newServer(p.NewRouter(log), log)
	s.hello.Protocol = protocol
	// It dies of SIGTERM, with nothing done by rule: the test is about the engine.
	if err := s.serve(context.Background(), ln, nil); err != nil {
		return 1
	}
	return 0
}

// engineMain is an engine with a runtime directory and, in a file, orders. It
// prints what it is told, and stops the worker when it is terminated.
func engineMain(args []string) int {
	o := orders(1)
	if len(args) > 1 {
		b, err := os.ReadFile(args[1])
		if err == nil {
			err = json.Unmarshal(b, o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	c, err := NewClient(Options{RuntimeDir: args[0], Log: zap.NewNop()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	term, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	go func() {
		out := json.NewEncoder(os.Stdout)
		for r := range c.Reports() {
			if err := out.Encode(r); err != nil {
				os.Exit(1)
			}
		}
	}()
	go func() {
		for term.Err() == nil {
			c.Order(vrrp.Command{Orders: o})
			time.Sleep(100 * time.Millisecond)
		}
		c.Order(vrrp.Command{Stop: true})
	}()
	if err := c.Run(context.Background()); err != nil {
		return 1
	}
	return 0
}
