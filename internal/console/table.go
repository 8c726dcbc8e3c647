package console

import (
	"strings"
	"unicode/utf8"
)

// cell is a word of a table with its colour, which takes no room.
type cell struct {
	text, color string
}

// plain is a row of cells without colour.
func plain(texts ...string) []cell {
	row := make([]cell, len(texts))
	for i, t := range texts {
		row[i].text = t
	}
	return row
}

// writeTable writes rows under a bold head, each column as wide as its widest
// cell. The last column is not padded.
func (s Style) writeTable(b *strings.Builder, indent string, head []string, rows [][]cell) {
	widths := make([]int, len(head))
	for i, h := range head {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	heading := plain(head...)
	for i := range heading {
		heading[i].color = bold
	}
	s.writeRow(b, indent, heading, widths)
	for _, row := range rows {
		s.writeRow(b, indent, row, widths)
	}
}

func (s Style) writeRow(b *strings.Builder, indent string, row []cell, widths []int) {
	b.WriteString(indent)
	gap := 0 // written only before the next word: no line ends in blanks
	for i, c := range row {
		if c.text != "" {
			b.WriteString(strings.Repeat(" ", gap))
			gap = 0
			b.WriteString(s.paint(c.color, c.text))
		}
		gap += widths[i] - utf8.RuneCountInString(c.text) + 2
	}
	b.WriteByte('\n')
}
