package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
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

// client is a Client of this process on a real system.
type client struct {
	*Client
	t      *testing.T
	cancel context.CancelFunc
	over   chan error
	orders *vrrp.Orders
	heard  []vrrp.Transition
}

func connect(t *testing.T, dir string) *client {
	t.Helper()
	c, err := NewClient(Options{RuntimeDir: dir, Log: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &client{Client: c, t: t, cancel: cancel, over: make(chan error, 1), orders: orders(1)}
	go func() { x.over <- c.Run(ctx) }()
	return x
}

// until beats and reads reports until one satisfies ok.
func (c *client) until(what string, ok func(vrrp.Report) bool) vrrp.Report {
	c.t.Helper()
	limit := time.After(30 * time.Second)
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for {
		c.Order(vrrp.Command{Orders: c.orders})
		select {
		case r := <-c.Reports():
			c.heard = append(c.heard, r.Transitions...)
			if ok(r) {
				return r
			}
		case <-beat.C:
		case <-limit:
			c.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// master waits until a worker reports mastership and returns its process id.
func (c *client) master() int {
	c.t.Helper()
	r := c.until("connected and master", func(r vrrp.Report) bool {
		return r.Connected && len(r.Status) == 1 && r.Status[0].State == vrrp.Master && r.Status[0].Reason != ""
	})
	pid, err := strconv.Atoi(r.Status[0].Reason)
	if err != nil {
		c.t.Fatal(err)
	}
	return pid
}

// stop ends the worker by order.
func (c *client) stop() {
	c.t.Helper()
	c.Order(vrrp.Command{Stop: true})
	limit := time.After(30 * time.Second)
	for {
		select {
		case r := <-c.Reports():
			c.heard = append(c.heard, r.Transitions...)
		case err := <-c.over:
			if err != nil {
				c.t.Errorf("Run: %v", err)
			}
			c.cancel()
			return
		case <-limit:
			c.t.Fatal("an ordered stop took more than 30 s")
		}
	}
}

// crash makes the engine go away; the worker stays.
func (c *client) crash() {
	c.cancel()
	for {
		select {
		case <-c.Reports():
		case <-c.over:
			return
		}
	}
}

// exists reports whether there is a process, a dead one that nobody has reaped included.
// exists reports whether a process runs. One that has ended and whose parent has
// not buried it yet, as the orphan of a killed engine, does not.
func exists(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ") // after the command's name
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func TestEngineKilledAndRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	engine := func() (*exec.Cmd, *bufio.Scanner) {
		cmd := exec.Command("/proc/self/exe", "test-engine", dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd, bufio.NewScanner(out)
	}
	// untilMaster returns the transitions before, and the worker's process id.
	// It reads one report more: by then the worker knows that they have arrived.
	untilMaster := func(s *bufio.Scanner) (heard []vrrp.Transition, worker string) {
		t.Helper()
		for s.Scan() {
			var r vrrp.Report
			if err := json.Unmarshal(s.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			heard = append(heard, r.Transitions...)
			if worker != "" {
				return heard, worker
			}
			if r.Connected && len(r.Status) == 1 && r.Status[0].State == vrrp.Master {
				worker = r.Status[0].Reason
			}
		}
		t.Fatal("the engine ended")
		return nil, ""
	}

	first, out := engine()
	heard, pid := untilMaster(out)
	if len(heard) != 1 || heard[0].To != vrrp.Master {
		t.Errorf("the first engine heard %v, want the transition to MASTER", heard)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()

	second, out := engine()
	heard, again := untilMaster(out)
	if again != pid {
		t.Errorf("the second engine found worker %s, want %s", again, pid)
	}
	if len(heard) > 0 {
		t.Errorf("the second engine heard %v, want no transition", heard)
	}

	// A third, in this process, takes over from one that still runs, and stops the worker.
	c := connect(t, dir)
	if got := c.master(); strconv.Itoa(got) != pid {
		t.Errorf("the third engine found worker %d, want %s", got, pid)
	}
	// It would start another worker.
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.Wait()
	c.stop()
	if len(c.heard) != 1 || c.heard[0].To != vrrp.Initialize {
		t.Errorf("the third engine heard %v, want that the group left", c.heard)
	}
}

func TestWorkerKilledIsStartedAgain(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	first := c.master()
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r := c.until("the loss is told", func(r vrrp.Report) bool { return len(r.Problems) > 0 })
	if want := "vrrp worker: killed by signal killed"; r.Problems[0] != want {
		t.Errorf("problem %q, want %q", r.Problems[0], want)
	}
	if second := c.master(); second == first {
		t.Error("the killed worker still answers")
	}
	if exists(first) {
		t.Error("the killed worker was not reaped")
	}
	c.stop()
}

func TestWorkerTerminatedLeavesByRule(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	first := c.master()
	if err := unix.Kill(first, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.until("it has left", func(vrrp.Report) bool {
		return len(c.heard) > 1 && c.heard[1].From == vrrp.Master && c.heard[1].To == vrrp.Initialize
	})
	if second := c.master(); second == first {
		t.Error("the terminated worker still answers")
	}
	c.stop()
}

func TestWorkerIsOfAnotherSession(t *testing.T) {
	t.Parallel()
	c := connect(t, t.TempDir())
	pid := c.master()
	ours, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := unix.Getsid(pid)
	if err != nil || theirs == ours || theirs != pid {
		t.Errorf("the worker %d is of session %d (%v), the engine of %d", pid, theirs, err, ours)
	}
	cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || strings.Contains(strings.ReplaceAll(string(cmd), "\x00", " "), " run ") {
		t.Errorf("command line %q, %v: it must not look like the engine's", cmd, err)
	}
	// A terminal that hangs up and a Ctrl-C are not for it.
	for _, s := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGPIPE} {
		if err := unix.Kill(pid, s); err != nil {
			t.Error(err)
		}
	}
	c.until("another report", func(r vrrp.Report) bool { return len(r.Status) == 1 })
	if got := c.master(); got != pid {
		t.Errorf("worker %d answers, want still %d", got, pid)
	}
	c.stop()
	if exists(pid) {
		t.Error("the worker is still there after an ordered stop")
	}
}

func TestRuntimeDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	socket := filepath.Join(dir, socketName)
	c := connect(t, dir)
	pid := c.master()
	for path, want := range map[string]os.FileMode{dir: 0o750 | os.ModeDir, socket: 0o600 | os.ModeSocket, lockPath(socket): 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
	if got := lockHolder(socket); got != pid {
		t.Errorf("process %d is said to hold the lock, want %d", got, pid)
	}
	// No second worker for the same directory.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := listen(ctx, socket, zap.NewNop()); err == nil || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
		t.Errorf("listen = %v, want that process %d holds the lock", err, pid)
	}
	c.stop()
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there after an ordered stop")
	}
}

func TestGarbageOnTheSocketMovesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := connect(t, dir)
	pid := c.master()
	dial := func() net.Conn {
		conn, err := net.Dial("unix", filepath.Join(dir, socketName))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for range 50 {
		dial() // and says nothing
	}
	for _, s := range []string{"\x00", "GET / HTTP/1.1\r\n\r\n", string(framed("{}")), string(framed(`{"command":{"Stop":true}}`)), strings.Repeat("\xff", 1<<20)} {
		conn := dial()
		go io.Copy(io.Discard, conn)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, s) // may fail: it is thrown out before the end
	}
	c.until("another report", func(r vrrp.Report) bool { return len(r.Status) == 1 })
	if got := c.master(); got != pid || len(c.heard) != 1 {
		t.Errorf("worker %d, transitions %v: want still %d and no new transition", got, c.heard, pid)
	}
	c.stop()
}

func TestWorkerOfAnotherProtocolIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe", Command, "--socket", filepath.Join(dir, socketName), "--protocol", "99")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := connect(t, dir)
	if pid := c.master(); pid == cmd.Process.Pid {
		t.Error("the worker of another protocol was taken")
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the worker of another protocol ended with %v, want by SIGTERM", err)
	}
	c.stop()
}

// stopped reports whether all threads of a process are stopped.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(states) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, path := range states {
		if b, err := os.ReadFile(path); err == nil && !strings.Contains(string(b), ") T ") {
			return false
		}
	}
	return true
}

func TestStoppedWorkerOfAFormerEngineIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := connect(t, dir)
	pid := first.master()
	first.crash()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// One of its threads may still be answering.
	for !stopped(t, pid) {
		time.Sleep(time.Millisecond)
	}
	second := connect(t, dir)
	if got := second.master(); got == pid {
		t.Error("a stopped worker answers")
	}
	second.stop()
}

func TestDeadStandardErrorDoesNotHurt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe", Command, "--socket", filepath.Join(dir, socketName))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, socketName)); err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the worker does not listen")
		}
	}
	r.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := connect(t, dir)
	c.master()
	c.stop()
	if len(c.heard) != 2 {
		t.Errorf("transitions %v, want one to MASTER and one back", c.heard)
	}
	<-ended
}

func TestStrangersAreNotTrusted(t *testing.T) {
	me := os.Geteuid()
	for uid, want := range map[int]bool{me: true, 0: true, me + 1: false, 65534: me == 65534} {
		if err := trust(&unix.Ucred{Uid: uint32(uid)}); (err == nil) != want {
			t.Errorf("trust user %d: %v, want %v", uid, err, want)
		}
	}
}

func TestSocketPathTooLong(t *testing.T) {
	_, err := NewClient(Options{RuntimeDir: "/" + strings.Repeat("x", 120), Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("NewClient = %v, want that the path is too long", err)
	}
}
