package realserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// book is where a State is kept that is to be changed.
type book struct {
	path    string
	written []byte // what it says; empty without the file
	lock    *os.File
}

// Load reads the state from a file, to look at. Without the file nothing has been
// done.
func Load(path string) (*State, error) {
	s, _, err := read(path)
	return s, err
}

// Open is Load for those who change the machine. Until Close nobody else does; who
// does so already is waited for until ctx is done. Each change is on the disk before
// it is made, so that it can be undone whatever happens to us in its midst.
func Open(ctx context.Context, path string) (*State, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock what was done: %w", err)
	}
	lock, err := takeLock(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("lock what was done: %w", err)
	}
	s, written, err := read(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s.book = &book{path: path, written: written, lock: lock}
	return s, nil
}

// takeLock takes the lock on a file until that is closed. The file stays: were it
// removed, two could each hold the lock on a file of this name. The state's own file
// is another one after each change, and its directory is locked by the daemon. A file
// system without locks is no reason not to run.
func takeLock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	fd, taken := int(f.Fd()), make(chan struct{})
	go func() {
		for errors.Is(unix.Flock(fd, unix.LOCK_EX), unix.EINTR) {
		}
		select {
		case taken <- struct{}{}:
		case <-ctx.Done():
			f.Close()
		}
	}()
	select {
	case <-taken:
		return f, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("another director realserver is at work, and has %s", path)
	}
}

// Close lets others change the machine.
func (s *State) Close() error {
	if s.book == nil {
		return nil
	}
	return s.book.lock.Close()
}

// read returns the state that a file holds, and its text.
func read(path string) (*State, []byte, error) {
	s := &State{}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read what was done: %w", err)
	}
	return s, data, nil
}

// save writes the state to the file that it was opened from, whole or not at all,
// and removes the file when there is nothing to remember. What is there already is
// not written again: the same up at each boot needs no room on the disk.
func (s *State) save() error {
	b := s.book
	if b == nil {
		return nil
	}
	if len(s.VIPs) == 0 && len(s.Changes) == 0 {
		if err := os.Remove(b.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget what was done: %w", err)
		}
		b.written = nil
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	data = append(data, '\n')
	if err == nil && bytes.Equal(data, b.written) {
		return nil
	}
	if err == nil {
		err = replace(b.path, data)
	}
	if err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	b.written = data
	return nil
}

// replace writes a file that is whole after a crash, too.
func replace(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
