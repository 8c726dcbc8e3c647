package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// File is up when a file is there, or is not, and holds what is expected. Some
// other program writes it: a maintenance switch, or the verdict of a checker
// of its own.
type File struct {
	Path   string
	Absent bool // up when the file is not there
	// Number: it holds a whole number of 32 bits, which is told as the Weight. One
	// that is not there or is empty holds 0.
	Number bool
	Expect Expect
}

// Kind returns "file".
func (File) Kind() string { return "file" }

// Key implements Probe.
func (p File) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p File) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p File) compile() runner {
	want, err := p.Expect.compile()
	if err != nil {
		return broken(err)
	}
	return func(ctx context.Context) Observation {
		a := newAttempt(ctx)
		seen := p.look(want)
		seen.Latency = time.Since(a.begin)
		return seen
	}
}

func (p File) look(want wanted) Observation {
	info, err := os.Stat(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.Number:
		return holding(0)
	case errors.Is(err, fs.ErrNotExist) && p.Absent:
		return Observation{OK: true}
	case errors.Is(err, fs.ErrNotExist):
		return Observation{Reason: fmt.Sprintf("file %s does not exist", p.Path)}
	case err != nil:
		return Observation{Reason: err.Error(), Ours: true}
	case p.Absent:
		return Observation{Reason: fmt.Sprintf("file %s exists", p.Path)}
	case want.anything() && !p.Number:
		return Observation{OK: true}
	case !info.Mode().IsRegular(): // a pipe could keep us waiting
		return Observation{Reason: fmt.Sprintf("%s is no regular file", p.Path)}
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return Observation{Reason: err.Error(), Ours: true}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxAnswer))
	switch {
	case err != nil:
		return Observation{Reason: err.Error(), Ours: true}
	case p.Number:
		return parseHeld(p.Path, content)
	case !want.met(content):
		return Observation{Reason: fmt.Sprintf("file %s: wanted %v, has %s", p.Path, want, shorten(content))}
	}
	return Observation{OK: true, Status: firstLine(content)}
}

// holding is what is seen of a file that holds a number.
func holding(n int) Observation {
	return Observation{OK: true, Status: strconv.Itoa(n), Weight: &n}
}

// parseHeld reads the number that a file holds.
func parseHeld(path string, content []byte) Observation {
	text := strings.TrimSpace(string(content))
	if text == "" {
		return holding(0)
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return Observation{Reason: fmt.Sprintf("file %s: wanted a whole number from %d to %d, has %s", path, math.MinInt32, math.MaxInt32, shorten(content))}
	}
	return holding(int(n))
}
