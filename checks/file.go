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

func (p File) compile() runner { return p.asking(os.Stat) }

// asking is compile with what asks the file system for the file.
func (p File) asking(stat func(string) (fs.FileInfo, error)) runner {
	want, err := p.Expect.compile()
	if err != nil {
		return broken(err)
	}
	return fileLooks.bounded("file system of "+p.Path, func(context.Context) Observation { return p.look(stat, want) })
}

// looks is room for looks at files at the same time. Each that has no end keeps a
// thread of ours, and Go ends a process that has 10,000.
type looks chan struct{}

var fileLooks = make(looks, 1024)

// bounded makes a runner of a look at files, which may have no end: a network file
// system whose server is gone never answers, and no deadline ends the call. When its
// time is over it is left alone, as a command that does not die is, and nothing waits
// for it. There is one at a time: until it has come back the next ones fail at once.
func (l looks) bounded(where string, look func(context.Context) Observation) runner {
	looking := make(chan struct{}, 1)
	return func(ctx context.Context) Observation {
		a := newAttempt(ctx)
		select {
		case looking <- struct{}{}:
		default:
			return a.failed(where, context.DeadlineExceeded)
		}
		select {
		case l <- struct{}{}:
		case <-ctx.Done():
			<-looking
			return Observation{Reason: fmt.Sprintf("%s: not asked, as %d others do not answer", where, cap(l)), Ours: true}
		}
		back := make(chan Observation, 1)
		go func() {
			seen := look(ctx)
			<-l
			<-looking // before the verdict, which the next look may follow
			back <- seen
		}()
		select {
		case seen := <-back:
			if ctx.Err() == nil {
				seen.Latency = time.Since(a.begin)
				return seen
			}
		case <-ctx.Done():
		}
		return a.failed(where, ctx.Err())
	}
}

func (p File) look(stat func(string) (fs.FileInfo, error), want wanted) Observation {
	info, err := stat(p.Path)
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
