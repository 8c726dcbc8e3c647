package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
)

const (
	// Command is the hidden subcommand that the worker is started with.
	Command = "vrrp-worker"

	socketName = "vrrp.sock"
	engineFD   = 3 // where a worker finds the connection it is born with
)

// Options say where a Client finds its worker and how it starts one.
type Options struct {
	RuntimeDir string   // of the socket; made if it is missing
	Executable string   // default: this program, even if its file was replaced
	Args       []string // for the worker, after Command and the options of this package
	Log        *zap.Logger
}

// system is the source of workers on a real system.
type system struct {
	dir    string
	socket string
	exe    string
	args   []string
	child  int // process id of the worker that was started last
}

func newSource(opts Options) (*system, error) {
	dir, err := filepath.Abs(opts.RuntimeDir)
	if err != nil {
		return nil, fmt.Errorf("find runtime_dir: %w", err)
	}
	s := &system{dir: dir, socket: filepath.Join(dir, socketName), exe: opts.Executable, args: opts.Args}
	if s.exe == "" {
		s.exe = "/proc/self/exe"
	}
	// sun_path holds 108 bytes with the final zero.
	if len(s.socket) > 107-len(stagingSuffix) {
		return nil, fmt.Errorf("runtime_dir: the socket's path %q has %d bytes, at most %d can be used", s.socket, len(s.socket), 107-len(stagingSuffix))
	}
	return s, nil
}

func (s *system) find(ctx context.Context) (born, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", s.socket)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return born{}, errNone
	}
	if err != nil {
		return born{}, err
	}
	b, err := s.know(conn.(*net.UnixConn))
	if err != nil {
		conn.Close()
		return born{}, fmt.Errorf("find worker at %s: %w", s.socket, err)
	}
	return b, nil
}

// know finds out which process listens at the other end.
func (s *system) know(conn *net.UnixConn) (born, error) {
	cred, err := peerOf(conn)
	if err != nil {
		return born{}, err
	}
	if err := trust(cred); err != nil {
		return born{}, err
	}
	proc, err := openProcess(int(cred.Pid), int(cred.Pid) == s.child)
	if err != nil {
		return born{}, err
	}
	return born{conn: conn, proc: proc, sure: lockHolder(s.socket) == proc.pid}, nil
}

func (s *system) start(context.Context) (born, error) {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return born{}, fmt.Errorf("start worker: %w", err)
	}
	s.reap()
	// The child's end blocks until the child makes it its own.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return born{}, fmt.Errorf("start worker: socketpair: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "engine")
	defer near.Close()
	defer far.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return born{}, fmt.Errorf("start worker: %w", err)
	}
	defer null.Close()
	conn, err := net.FileConn(near)
	if err != nil {
		return born{}, fmt.Errorf("start worker: %w", err)
	}
	argv := append([]string{os.Args[0], Command, "--socket", s.socket, "--engine-fd", strconv.Itoa(engineFD)}, s.args...)
	var child *os.Process
	err = withoutHugePages(func() error {
		return privilege.Start(func() error {
			child, err = os.StartProcess(s.exe, argv, &os.ProcAttr{
				Dir:   "/",
				Env:   punctualEnv(os.Environ()),
				Files: []*os.File{null, os.Stdout, os.Stderr, far},
				Sys:   workerAttributes(),
			})
			return err
		})
	})
	if err != nil {
		conn.Close()
		return born{}, fmt.Errorf("start worker: %w", err)
	}
	s.child = child.Pid
	proc, err := openProcess(child.Pid, true)
	if err != nil {
		conn.Close()
		return born{}, errors.Join(fmt.Errorf("start worker: %w", err), child.Kill())
	}
	// From here on it is reaped by process.fate.
	if err := child.Release(); err != nil {
		conn.Close()
		proc.close()
		return born{}, fmt.Errorf("start worker: %w", err)
	}
	return born{conn: conn, proc: proc, sure: true}, nil
}

// workerAttributes are those of a worker's process. In a session of its own neither
// the terminal's Ctrl-C nor its hang-up reaches it; it outlives the engine. Of our
// capabilities it gets what VRRP and its punctuality need; root has all of them.
func workerAttributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() != 0 {
		attributes.AmbientCaps = privilege.Grantable(privilege.NetAdmin, privilege.NetRaw,
			privilege.SysNice, privilege.IPCLock, privilege.SysResource)
	}
	return attributes
}

// reap takes the former child's remains if nobody has.
func (s *system) reap() {
	if s.child > 0 {
		var ws syscall.WaitStatus
		// ECHILD if process.fate was first, and then there is nothing to do.
		_, _ = syscall.Wait4(s.child, &ws, syscall.WNOHANG, nil)
	}
	s.child = 0
}

// peerOf returns who is at the other end: who connected, or who listened.
func peerOf(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("read peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		cerr = err
	}
	if cerr != nil {
		return nil, fmt.Errorf("read peer credentials: %w", cerr)
	}
	return cred, nil
}

// trust refuses who is neither ourselves nor root.
func trust(cred *unix.Ucred) error {
	if uid := os.Geteuid(); cred.Uid != 0 && int(cred.Uid) != uid {
		return fmt.Errorf("it belongs to user %d, not to %d or root", cred.Uid, uid)
	}
	return nil
}

// lockHolder returns the process id that the worker of a socket wrote when it
// took its lock, 0 if none did.
func lockHolder(socket string) int {
	b, err := os.ReadFile(lockPath(socket))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

func lockPath(socket string) string { return strings.TrimSuffix(socket, ".sock") + ".lock" }
