package vm

import (
	"bytes"
	"fmt"
)

// archive is an initial RAM disk being written: a cpio archive in the "newc"
// format (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	out   bytes.Buffer
	inode int
}

// The file types in a cpio mode.
const (
	cpioDir  = 0o040000
	cpioFile = 0o100000
)

// dir adds a folder. Its parent must have been added.
func (a *archive) dir(name string) { a.entry(name, cpioDir|0o755, nil) }

// file adds a file that may be executed.
func (a *archive) file(name string, data []byte) { a.entry(name, cpioFile|0o755, data) }

// finish returns the archive, which must not be used any more.
func (a *archive) finish() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.out.Bytes()
}

func (a *archive) entry(name string, mode int, data []byte) {
	a.inode++
	// magic, then 13 numbers of 8 hexadecimal digits: inode, mode, uid, gid, links,
	// mtime, size, device (2), special device (2), length of the name with its NUL, checksum.
	fmt.Fprintf(&a.out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.out.WriteString(name)
	a.out.WriteByte(0)
	a.pad()
	a.out.Write(data)
	a.pad()
}

// pad fills up to a multiple of four bytes, counted from the archive's start.
func (a *archive) pad() {
	for a.out.Len()%4 != 0 {
		a.out.WriteByte(0)
	}
}
