package vm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process is what /proc/PID/stat says of one.
type process struct {
	pid, parent int
	name        string
	state       byte
}

// parseStat reads a line of /proc/PID/stat: the number, the name in brackets,
// which may hold any byte, the state, the parent's number, and more.
func parseStat(line []byte) (process, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("parse stat %q: no name", line)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line[:open])))
	if err != nil {
		return process{}, fmt.Errorf("parse stat %q: %w", line, err)
	}
	fields := bytes.Fields(line[end+1:])
	if len(fields) < 2 || len(fields[0]) != 1 {
		return process{}, fmt.Errorf("parse stat %q: no state", line)
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return process{}, fmt.Errorf("parse stat %q: %w", line, err)
	}
	return process{pid: pid, parent: parent, name: string(line[open+1 : end]), state: fields[0][0]}, nil
}

// kthreadd is the parent of the kernel's own threads.
const kthreadd = 2

// left tells whether p is something that a step has left: neither the guest's
// first process, nor the kernel's, nor dead.
func (p process) left() bool {
	return p.pid != 1 && p.pid != kthreadd && p.parent != kthreadd && p.state != 'Z' && p.state != 'X'
}

// running lists what a step has left.
func running() []process {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var list []process
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if p, err := parseStat(line); err == nil && p.left() {
			list = append(list, p)
		}
	}
	return list
}

// killLeft gives what a step has left some time to end by itself, kills the
// rest, and tells what that was.
func killLeft(patience time.Duration) []string {
	deadline := time.Now().Add(patience)
	list := running()
	for len(list) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		list = running()
	}
	var names []string
	for _, p := range list {
		names = append(names, fmt.Sprintf("%d %s", p.pid, p.name))
		unix.Kill(p.pid, unix.SIGKILL)
	}
	return names
}
