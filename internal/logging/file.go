package logging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// lookInterval is how often a File looks whether its name was given away. A
// rotated log that nobody announced goes on at most so long in the old file.
const lookInterval = time.Second

// File is a log file that others may rename, remove or compress away at any
// time: the next line after that, or after Reopen, goes to a new file of the
// same name. Its writes are serialised by its user (zapcore.Lock).
type File struct {
	path   string
	file   *os.File
	looked time.Time
	failed bool        // the last write did, which has been told
	reopen atomic.Bool // asked for by Reopen, which may be in another goroutine
}

// OpenFile opens or creates the log file at path, readable by owner and group,
// for appending. It makes the file's directory if that is missing.
func OpenFile(path string) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file = file
	return nil
}

// Write appends one line. If the name cannot be opened again, the line goes to
// the file that is still open: a lost line is worse than a misplaced one.
func (f *File) Write(line []byte) (int, error) {
	if now := time.Now(); f.reopen.Swap(false) || now.Sub(f.looked) >= lookInterval {
		f.looked = now
		if f.moved() {
			if err := f.open(); err != nil {
				fmt.Fprintf(os.Stderr, "director: reopen log: %v\n", err)
			}
		}
	}
	n, err := f.file.Write(line)
	if err != nil && !f.failed {
		fmt.Fprintf(os.Stderr, "director: write log: %v; lines are lost until it works again\n", err)
	}
	f.failed = err != nil
	return n, err
}

// moved reports whether the name stands for another file than the open one.
func (f *File) moved() bool {
	named, err := os.Stat(f.path)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	open, err := f.file.Stat()
	return err != nil || !os.SameFile(named, open)
}

// Reopen makes the next Write look at the name at once. It may be called from
// any goroutine.
func (f *File) Reopen() { f.reopen.Store(true) }

// Sync does nothing: a log line is not worth a disk's flush.
func (f *File) Sync() error { return nil }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
