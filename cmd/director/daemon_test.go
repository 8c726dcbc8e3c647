package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/api"
	"github.com/lvs-director/director/internal/engine"
	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstest"
)

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// running is a daemon in this process, on an in-memory kernel.
type running struct {
	dir, config, socket string
	signals             chan os.Signal
	stderr              buffer
	ended               chan struct{}
	stop                func() error // ends it with SIGTERM and returns run's error
}

// configuration is a daemon's with one real server, at addr.
func configuration(dir, addr, more string) string {
	return fmt.Sprintf(`node        = "lb-a"
runtime_dir = "%[1]s/run"
state_dir   = "%[1]s/state"
%[3]s
virtual_server "web" {
  address   = "192.0.2.10:80"
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"
  check "tcp" {
    interval = "100ms"
    rise     = 1
    fall     = 1
  }
  real_server "%[2]s" { weight = 10 }
}
`, dir, addr, more)
}

// startDaemon runs a daemon until the test ends, and waits until it is there.
func startDaemon(t *testing.T, open func() (ipvsctl.Kernel, error), more string) *running {
	t.Helper()
	// A unix socket's path is short; a test's own directory may not be.
	dir, err := os.MkdirTemp("", "director")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	r := &running{dir: dir, config: filepath.Join(dir, "d.hcl"), socket: filepath.Join(dir, "run", "director.sock")}
	writeFile(t, r.config, configuration(dir, server.Addr().String(), more))
	return r.restart(t, open)
}

// restart runs the next daemon with the same configuration and state.
func (r *running) restart(t *testing.T, open func() (ipvsctl.Kernel, error)) *running {
	t.Helper()
	r = &running{dir: r.dir, config: r.config, socket: r.socket, signals: make(chan os.Signal)}
	d := &daemon{path: r.config, stderr: &r.stderr, signals: r.signals, open: open}
	r.ended = make(chan struct{})
	var ended error
	go func() { ended = d.run(context.Background()); close(r.ended) }()
	r.stop = sync.OnceValue(func() error {
		select {
		case r.signals <- unix.SIGTERM:
		case <-r.ended:
		}
		<-r.ended
		return ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("daemon ended with %v; its log:\n%s", err, r.stderr.String())
		}
	})
	r.await(t, "start", func(e engine.Event) bool { return e.Kind == engine.KindStart && e.To == "started" })
	return r
}

// await waits for an event, past or to come. Before the daemon answers, it asks again.
func (r *running) await(t *testing.T, what string, wanted func(engine.Event) bool) {
	t.Helper()
	client := api.NewClient(r.socket)
	defer client.Close()
	for r.runs() {
		for e, err := range client.Events(t.Context(), api.Query{Follow: true}) {
			if err != nil {
				break
			}
			if wanted(e) {
				return
			}
		}
	}
	t.Fatalf("the daemon ended without the event: %s; its log:\n%s", what, r.stderr.String())
}

// awaitStatus asks for the status until it is as wanted: the snapshot follows
// the events by a moment.
func (r *running) awaitStatus(t *testing.T, what string, wanted func(*engine.Status) bool) {
	t.Helper()
	client := api.NewClient(r.socket)
	defer client.Close()
	for r.runs() {
		if s, err := client.Status(t.Context()); err == nil && wanted(s) {
			return
		}
	}
	t.Fatalf("the daemon ended without the status: %s; its log:\n%s", what, r.stderr.String())
}

// runs tells whether the daemon has not ended.
func (r *running) runs() bool {
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// webIsUp tells whether the only virtual server is up and in the kernel.
func webIsUp(s *engine.Status) bool {
	return s.Kernel.InSync && len(s.VirtualServers) == 1 && s.VirtualServers[0].State == "up"
}

func memoryKernel() func() (ipvsctl.Kernel, error) {
	kernel := ipvstest.New()
	return func() (ipvsctl.Kernel, error) { return kernel, nil }
}

func TestDaemonAnswersItsCommands(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	r.awaitStatus(t, "web up", webIsUp)

	got := director(t, "status", "--socket", r.socket)
	if got.code != exitOK || !strings.Contains(got.stdout, "on lb-a") || !strings.Contains(got.stdout, "web up") {
		t.Errorf("status: %+v", got)
	}
	var status engine.Status
	got = director(t, "status", "--json", "-s", r.socket)
	if err := json.Unmarshal([]byte(got.stdout), &status); err != nil || status.Node != "lb-a" || len(status.VirtualServers) != 1 {
		t.Errorf("status --json: %+v, %v", got, err)
	}
	if got = director(t, "status", "nope", "-s", r.socket); got.code != exitFailure || !strings.Contains(got.stderr, `no virtual server "nope"`) {
		t.Errorf("status of a stranger: %+v", got)
	}
	got = director(t, "tail", "--kind", "quorum", "--json", "--config", r.config)
	var event engine.Event
	if err := json.Unmarshal([]byte(got.stdout), &event); got.code != exitOK || err != nil && !strings.Contains(got.stdout, "\n{") || event.Kind != engine.KindQuorum && err == nil {
		t.Errorf("tail --json: %+v, %v", got, err)
	}
	if got = director(t, "tail", "--since", "1h", "-k", "quorum", "-v", "web", "-s", r.socket); got.code != exitOK || !strings.Contains(got.stdout, "  quorum    web ") {
		t.Errorf("tail: %+v", got)
	}
	if got = director(t, "log-level", "debug", "-s", r.socket); got != (result{}) {
		t.Errorf("set log level: %+v", got)
	}
	if got = director(t, "log-level", "-s", r.socket); got != (result{stdout: "debug\n"}) {
		t.Errorf("log level: %+v", got)
	}
	if got = director(t, "failover", "front", "-s", r.socket); got.code != exitFailure || !strings.Contains(got.stderr, "front") {
		t.Errorf("failover of a stranger: %+v", got)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	good := readFile(t, r.config)
	if got := director(t, "reload", "-s", r.socket); got != (result{stdout: "reloaded\n"}) {
		t.Errorf("reload: %+v", got)
	}
	writeFile(t, r.config, strings.ReplaceAll(good, "wlc", "chess"))
	got := director(t, "reload", "-s", r.socket)
	if got.code != exitFailure || !strings.Contains(got.stderr, "the old configuration keeps running") || !strings.Contains(got.stderr, "chess") {
		t.Errorf("broken reload: %+v", got)
	}
	got = director(t, "status", "--exit-code", "-s", r.socket)
	if got.code != exitFinding || !strings.Contains(got.stdout, "reload refused") || !strings.Contains(got.stdout, "wlc nat") {
		t.Errorf("status after it: %+v", got)
	}

	writeFile(t, r.config, strings.ReplaceAll(good, "weight = 10", "weight = 4"))
	r.signals <- unix.SIGHUP
	r.await(t, "reload by signal", func(e engine.Event) bool { return e.Kind == engine.KindReload && e.To == "taken" && e.Seq > 3 })
}

// A reload follows the log's level, and says what it cannot follow.
func TestReloadFollowsTheLog(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	text := readFile(t, r.config)
	writeFile(t, r.config, text+"log { level = \"debug\" }\napi { listen = \"127.0.0.1:1\" }\n")
	if got := director(t, "reload", "-s", r.socket); got.code != exitOK {
		t.Fatalf("reload: %+v", got)
	}
	if got := director(t, "log-level", "-s", r.socket); got.stdout != "debug\n" {
		t.Errorf("log level: %+v", got)
	}
	if err := r.stop(); err != nil { // the log is complete only then
		t.Fatal(err)
	}
	if log := r.stderr.String(); !strings.Contains(log, `a changed setting needs a restart {"setting": "api.listen"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestLogFileIsOpenedAnew(t *testing.T) {
	t.Parallel()
	logs := t.TempDir()
	path := filepath.Join(logs, "director.log")
	r := startDaemon(t, memoryKernel(), fmt.Sprintf("log { file = %q }\n", path))
	for !strings.Contains(readFile(t, path), "started") && t.Context().Err() == nil {
		runtime.Gosched() // the log is written behind the daemon's back
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.signals <- unix.SIGUSR1
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readFile(t, path+".1"), "started") || !strings.Contains(readFile(t, path), "log opened anew") {
		t.Errorf("old:\n%s\nnew:\n%s", readFile(t, path+".1"), readFile(t, path))
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	second := &daemon{path: r.config, stderr: &buffer{}, signals: make(chan os.Signal), open: memoryKernel()}
	err := second.run(t.Context())
	var inUse *api.InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Errorf("second daemon: %v", err)
	}
	if got := director(t, "status", "-s", r.socket); got.code != exitOK {
		t.Errorf("the first does not answer any more: %+v", got)
	}
}

// With a runtime_dir of its own, but the state_dir of another, a daemon is refused,
// too, and free again when the other has ended.
func TestSecondDaemonOnTheSameState(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, memoryKernel(), "")
	text := readFile(t, r.config)
	writeFile(t, r.config, strings.Replace(text, "/run\"", "/run2\"", 1))
	second := &daemon{path: r.config, stderr: &buffer{}, signals: make(chan os.Signal), open: memoryKernel()}
	err := second.run(t.Context())
	if want := "state_dir " + filepath.Join(r.dir, "state") + " in use by another director"; err == nil || err.Error() != want {
		t.Errorf("second daemon: %v, want %s", err, want)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	writeFile(t, r.config, text)
	r.restart(t, memoryKernel())
}

// Without IPVS the daemon stays up, says why nothing works, and is not ready.
func TestKernelWithoutIPVS(t *testing.T) {
	t.Parallel()
	r := startDaemon(t, func() (ipvsctl.Kernel, error) { return nil, ipvsctl.ErrNoIPVS }, "")
	r.awaitStatus(t, "kernel error", func(s *engine.Status) bool { return s.Kernel.LastError != "" })
	got := director(t, "status", "--problems", "--exit-code", "-s", r.socket)
	if got.code != exitFinding || !strings.Contains(got.stdout, "load the module ip_vs") {
		t.Errorf("status: %+v", got)
	}
}

// Left to a successor, the table stays whatever on_stop says.
func TestLeave(t *testing.T) {
	t.Parallel()
	kernel := ipvstest.New()
	r := startDaemon(t, func() (ipvsctl.Kernel, error) { return kernel, nil }, "ipvs { on_stop = \"remove\" }\n")
	r.awaitStatus(t, "web up", webIsUp)
	r.signals <- unix.SIGUSR2
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if table, err := kernel.Dump(); err != nil || len(table.Services) != 1 {
		t.Errorf("table %v, %v; want the service still in it", table, err)
	}
	if !strings.Contains(r.stderr.String(), "left") {
		t.Errorf("log:\n%s", r.stderr.String())
	}
}

func TestRunRefusesABrokenConfiguration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.hcl")
	writeFile(t, path, "colour = \"blue\"\n")
	got := director(t, "run", "--config", path)
	if got.code != exitFailure || !strings.Contains(got.stderr, "d.hcl line 1") || !strings.Contains(got.stderr, "has 1 problem") {
		t.Errorf("run: %+v", got)
	}
}
