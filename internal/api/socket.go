package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// InUseError says that another daemon holds the socket.
type InUseError struct {
	Path string
	PID  int // 0 when it could not be read
}

// Error names the process to look at.
func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("socket %s in use by another director", e.Path)
	}
	return fmt.Sprintf("socket %s in use by pid %d", e.Path, e.PID)
}

// Socket is a listening unix socket that only one process can have.
type Socket struct {
	listener net.Listener
	lock     *os.File
}

// ListenSocket listens on a unix socket at path, readable and writable for
// owner and group. Beside it lies path.lock, locked for as long as the process
// lives: that, not the socket's file, says whether another daemon runs, so
// that the file a killed daemon left behind is in nobody's way. The error is
// an *InUseError when another daemon runs.
func ListenSocket(path string) (*Socket, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		if in := (*InUseError)(nil); errors.As(err, &in) {
			in.Path = path
		}
		return nil, err
	}
	l, err := listenUnix(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Socket{listener: l, lock: lock}, nil
}

// Close stops listening, removes the socket's file and lets the lock go, so
// that another daemon may start.
func (s *Socket) Close() error {
	return errors.Join(s.listener.Close(), s.lock.Close())
}

// listenUnix binds under another name and renames, so that the socket is never
// there with permissions that are wider or narrower than meant, and a client
// that finds the file can connect.
func listenUnix(path string) (net.Listener, error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	// The rename below would replace whatever is there.
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("listen on %s: something is there that is no socket", path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temporary, 0o660), os.Rename(temporary, path)); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &unlinkingListener{UnixListener: l, path: path}, nil
}

// unlinkingListener removes the socket's file when it is closed.
type unlinkingListener struct {
	*net.UnixListener
	path string
}

func (l *unlinkingListener) Close() error {
	err := l.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil // a server closes its listener too
	}
	if rm := os.Remove(l.path); !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// lockFile takes an exclusive lock and writes this process' number into the
// file for whoever comes second. flock(2) locks go with the process, however
// it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock socket: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			text, _ := io.ReadAll(io.LimitReader(f, 32))
			pid, _ := strconv.Atoi(string(bytes.TrimSpace(text)))
			return nil, &InUseError{PID: pid}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = errors.Join(f.Truncate(0), writeAll(f, strconv.Itoa(os.Getpid())+"\n"))
	// The number only helps whoever comes second: a full disk stops no daemon.
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
