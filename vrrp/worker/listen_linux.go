package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	stagingSuffix = ".new"
	lockTimeout   = 5 * time.Second // for a predecessor on its way out
	lockRetry     = 50 * time.Millisecond
)

// listener is a worker's socket, and the lock that says that no other worker
// serves the same directory.
type listener struct {
	*net.UnixListener
	socket string
	lock   *os.File
	log    *zap.Logger
}

// listen takes the lock and makes the socket. The socket appears under its
// name only when it answers and nobody else may use it.
func listen(ctx context.Context, socket string, log *zap.Logger) (*listener, error) {
	lock, err := takeLock(ctx, socket)
	if err != nil {
		return nil, err
	}
	staging := socket + stagingSuffix
	ln, err := func() (*net.UnixListener, error) {
		if err := os.Remove(staging); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: staging, Net: "unix"})
		if err != nil {
			return nil, err
		}
		ln.SetUnlinkOnClose(false) // by then the name may be a successor's
		err = os.Chmod(staging, 0o600)
		if err == nil {
			err = os.Rename(staging, socket)
		}
		if err != nil {
			ln.Close()
			return nil, err
		}
		return ln, nil
	}()
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("listen at %s: %w", socket, err)
	}
	return &listener{UnixListener: ln, socket: socket, lock: lock, log: log}, nil
}

func takeLock(ctx context.Context, socket string) (*os.File, error) {
	path := lockPath(socket)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("take lock: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		// The kernel gives a dead worker's lock back.
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("take lock %s: %w", path, err)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("take lock %s: another VRRP worker (process %d) holds it", path, lockHolder(socket))
		}
	}
	// On a full disk VRRP is worth more than the number, without which an engine
	// only kills no worker that does not answer it.
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil && !errors.Is(err, unix.ENOSPC) {
		f.Close()
		return nil, fmt.Errorf("take lock %s: %w", path, err)
	}
	return f, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// Accept returns the next connection of somebody who may give orders.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		cred, err := peerOf(conn)
		if err == nil {
			err = trust(cred)
		}
		if err == nil {
			return conn, nil
		}
		l.log.Warn("connection refused", zap.Error(err))
		conn.Close()
	}
}

// release ends the socket and gives the lock back, in this order: the name
// must be free before a successor can take it.
func (l *listener) release() {
	l.Close()
	os.Remove(l.socket)
	l.lock.Close()
}
