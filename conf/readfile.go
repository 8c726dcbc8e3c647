package conf

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxFile bounds the size of one file; positions in it are 32 bits wide, and
// a bigger one is no configuration.
const maxFile = 256 << 20

// ReadFile reads a regular file of at most 256 MiB. A named pipe would keep the
// reader waiting for a writer, and a device may never end: neither a start nor a
// reload may hang for it, nor a signal that is to end them.
func ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opens a pipe without a writer, too
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	case info.Size() > maxFile:
		return nil, fmt.Errorf("read %s: it has %d bytes, want at most %d", name, info.Size(), maxFile)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s: a %s, want a regular file", name, kindOfFile(info.Mode()))
	}
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead) // else it grows as it reads
	if _, err := text.ReadFrom(io.LimitReader(f, maxFile)); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// kindOfFile names what is no regular file.
func kindOfFile(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}
