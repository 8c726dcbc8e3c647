package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// screen is what is known of where output goes. The zero value is no terminal.
type screen struct {
	width, height int
	color         bool
}

// screenOf returns the size of w, if it is a terminal. Colour is for terminals
// that can and users who want it (no-color.org).
func screenOf(w io.Writer) screen {
	f, ok := w.(*os.File)
	if !ok {
		return screen{}
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return screen{}
	}
	return screen{
		width: int(size.Col), height: int(size.Row),
		color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}
