package console

import (
	"strings"
	"unicode/utf8"
)

// clearScreen moves home and clears the screen and what has scrolled off it.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// Screen is text as one screenful that replaces what was there: cut to width
// columns and height lines, since a line that wraps or scrolls would push the
// head, where the problems are, out of sight.
func Screen(text string, width, height int) string {
	var b strings.Builder
	b.WriteString(clearScreen)
	row := 0
	for line := range strings.Lines(text) {
		if row++; row > height {
			break
		}
		if row > 1 {
			b.WriteString("\r\n")
		}
		b.WriteString(crop(strings.TrimSuffix(line, "\n"), width))
	}
	return b.String()
}

// crop cuts a line to width columns. Escape sequences take no room; a cut line
// keeps those behind the cut, so that its colour ends.
func crop(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	var b strings.Builder
	column, escape := 0, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
			b.WriteRune(r)
			continue
		default:
			if column++; column > width {
				continue
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
