package conf

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// maxRendered is how many problems are shown; one slip in a generated file can
// make thousands.
const maxRendered = 100

// maxLine is how many bytes of a line of source or of a message are shown. A
// quote that is never closed can make a value of the rest of the file.
const maxLine = 500

// Problems is the error of a load: everything that is wrong with a
// configuration, sorted by file and line.
type Problems struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File
}

// Error returns the problems as one line each: file:line: what is wrong.
func (p *Problems) Error() string {
	var b strings.Builder
	for i, d := range p.list {
		if i == maxRendered {
			fmt.Fprintf(&b, "\nand %d more", len(p.list)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		if d.Subject != nil {
			fmt.Fprintf(&b, "%s: ", place(*d.Subject))
		}
		b.WriteString(shorten(printable(d.Summary)))
		if d.Detail != "" {
			b.WriteString(": " + shorten(printable(d.Detail)))
		}
	}
	return b.String()
}

// Len returns how many problems there are.
func (p *Problems) Len() int { return len(p.list) }

// Write writes every problem with its file, line and source text. Detail is
// wrapped to width; zero does not wrap. Colour is for terminals. What would
// move a terminal's cursor, or more, is shown as question marks.
func (p *Problems) Write(w io.Writer, width uint, colour bool) error {
	files := make(map[string]*hcl.File, len(p.files))
	for name, f := range p.files {
		shown := *f
		shown.Bytes = []byte(printable(string(f.Bytes)))
		files[name] = &shown
	}
	var text bytes.Buffer
	out := hcl.NewDiagnosticTextWriter(&text, files, width, colour)
	for i, d := range p.list {
		if i == maxRendered {
			_, err := fmt.Fprintf(w, "And %d more problems.\n", len(p.list)-i)
			return err
		}
		text.Reset()
		shown := *d
		shown.Summary, shown.Detail = printable(d.Summary), printable(d.Detail)
		if err := out.WriteDiagnostic(&shown); err != nil {
			return fmt.Errorf("write problems: %w", err)
		}
		for line := range strings.Lines(text.String()) {
			short := shorten(strings.TrimSuffix(line, "\n"))
			if colour && len(short) < len(line)-1 {
				short += "\x1b[0m" // was cut off
			}
			if _, err := io.WriteString(w, short+"\n"); err != nil {
				return fmt.Errorf("write problems: %w", err)
			}
		}
	}
	return nil
}

// printable returns text that a terminal can show. Every byte stays where it is.
func printable(text string) string {
	var shown []byte
	for i, r := range text {
		size := utf8.RuneLen(r)
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			size = 1 // no UTF-8
		} else if !unicode.IsControl(r) || r == '\n' || r == '\r' || r == '\t' {
			continue
		}
		if shown == nil {
			shown = []byte(text)
		}
		copy(shown[i:i+size], "??")
	}
	if shown == nil {
		return text
	}
	return string(shown)
}

// shorten cuts a text that is longer than maxLine, between characters.
func shorten(text string) string {
	if len(text) <= maxLine {
		return text
	}
	end := maxLine
	for !utf8.RuneStart(text[end]) && end > maxLine-utf8.UTFMax {
		end--
	}
	return text[:end] + "…"
}

// sort brings the problems into the order of the source.
func (p *Problems) sort() {
	slices.SortStableFunc(p.list, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(btoi(a.Subject != nil), btoi(b.Subject != nil))
		}
		return cmp.Or(cmp.Compare(a.Subject.Filename, b.Subject.Filename), cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte))
	})
}

// problem is something wrong in one piece.
type problem struct {
	at              span
	summary, detail string
}

// diagnostic places the problem in its file.
func (s *source) diagnostic(start int, p problem) *hcl.Diagnostic {
	rng := hcl.Range{Filename: s.name, Start: s.pos(start + int(p.at.start)), End: s.pos(start + int(p.at.end))}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: p.summary, Detail: p.detail, Subject: &rng}
}

// pos returns the position of a byte of the file. HCL counts columns in
// characters; counting code points differs from it only for the eye.
func (s *source) pos(at int) hcl.Pos {
	at = min(max(at, 0), len(s.text))
	lineStart := bytes.LastIndexByte(s.text[:at], '\n') + 1
	return hcl.Pos{Line: 1 + bytes.Count(s.text[:at], []byte{'\n'}), Column: 1 + utf8.RuneCount(s.text[lineStart:at]), Byte: at}
}

// ContextString names the piece that the byte at offset is in, for the line
// above the source text of a problem. HCL's text writer calls it.
func (s *source) ContextString(offset int) string {
	i, found := slices.BinarySearchFunc(s.cuts, offset, func(p span, at int) int {
		switch {
		case int(p.end) <= at:
			return -1
		case int(p.start) > at:
			return 1
		}
		return 0
	})
	if !found {
		return ""
	}
	header, _, ok := strings.Cut(string(s.text[s.cuts[i].start:s.cuts[i].end]), "{")
	if !ok || strings.ContainsAny(header, "=\n") {
		return ""
	}
	return strings.TrimSpace(header)
}

// place returns where rng starts, as file:line.
func place(rng hcl.Range) string { return rng.Filename + ":" + strconv.Itoa(rng.Start.Line) }

func quote(s string) string { return strconv.Quote(s) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// suggest returns a question after the candidate that is nearest to word, or
// nothing when none is near.
func suggest(word string, candidates []string) string {
	best, least := "", len(word)/3+1
	for _, c := range candidates {
		if d := distance(word, c); d <= least && (d < least || best == "") {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "Did you mean " + quote(best) + "?"
}

// distance is the number of letters to insert, delete or replace to get from a
// to b (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j]+1, row[j+1]+1, corner+btoi(a[i] != b[j]))
			corner, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
