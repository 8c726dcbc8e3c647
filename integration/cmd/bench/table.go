package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// The table in the file stands between these lines.
const (
	tableBegin = "<!-- written by make bench: do not edit -->"
	tableEnd   = "<!-- end of what make bench writes -->"
)

// table is what was measured, by row and peer.
type table struct {
	rows []*row
	lost []string // trials that gave no figure, and why
}

// lose notes a trial of a peer that gave no figure for what was to be measured.
func (t *table) lose(peer, what string, why any) {
	t.lost = append(t.lost, fmt.Sprintf("%s, %s: %v", peer, what, why))
}

// row is one quantity: less is better.
type row struct {
	name, unit string
	samples    map[string][]float64 // by peer
}

// add notes one sample.
func (t *table) add(name, unit, peer string, value float64) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.name == name })
	if i < 0 {
		t.rows = append(t.rows, &row{name: name, unit: unit, samples: map[string][]float64{}})
		i = len(t.rows) - 1
	}
	t.rows[i].samples[peer] = append(t.rows[i].samples[peer], value)
}

// median returns the middle sample, 0 without any.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// spread returns "min / median / max".
func spread(samples []float64) string {
	if len(samples) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f / %.0f / %.0f", slices.Min(samples), median(samples), slices.Max(samples))
}

// ratio returns how much of keepalived's median the director needs.
func (r *row) ratio() string {
	k, d := median(r.samples["keepalived"]), median(r.samples["director"])
	if k == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", d/k)
}

// String returns the table for a terminal.
func (t *table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tdirector\tkeepalived\tratio\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s, %s\t%s\t%s\t%s\t\n", r.name, r.unit, spread(r.samples["director"]), spread(r.samples["keepalived"]), r.ratio())
	}
	w.Flush()
	for _, why := range t.lost {
		fmt.Fprintf(&b, "no figure: %s\n", why)
	}
	return b.String()
}

const (
	tableHead = "| what (min / median / max) | trials | director | keepalived | ratio of the medians |\n|---|---|---|---|---|\n"
	lostHead  = "\nTrials that gave no figure:\n\n"
)

// markdown returns the table for the file, which holds old: what was not
// measured anew stays as it is there.
func (t *table) markdown(old string) string {
	lines := make(map[string]string)
	var order, lost []string
	put := func(name, line string) {
		if _, twice := lines[name]; !twice {
			order = append(order, name)
		}
		lines[name] = line
	}
	for line := range strings.Lines(old) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		switch {
		case strings.HasPrefix(line, "| ") && !strings.HasPrefix(tableHead, line):
			put(name, line)
		case strings.HasPrefix(line, "- ") && !t.measured(line):
			lost = append(lost, line)
		}
	}
	for _, r := range t.rows {
		name := r.name + ", " + r.unit
		put(name, fmt.Sprintf("| %s | %d | %s | %s | %s |\n", name, len(r.samples["director"]), spread(r.samples["director"]), spread(r.samples["keepalived"]), r.ratio()))
	}
	for _, why := range t.lost {
		lost = append(lost, "- "+why+"\n")
	}
	var b strings.Builder
	b.WriteString(tableHead)
	for _, name := range order {
		b.WriteString(lines[name])
	}
	if len(lost) > 0 {
		b.WriteString(lostHead + strings.Join(lost, ""))
	}
	return b.String()
}

// measured tells whether a line "- PEER, WHAT: why" is of something that was
// measured anew.
func (t *table) measured(line string) bool {
	_, what, _ := strings.Cut(line, ", ")
	what, _, _ = strings.Cut(what, ":")
	return slices.ContainsFunc(t.rows, func(r *row) bool { return strings.HasPrefix(r.name, what) })
}

// write puts the table into a file; a file without one gets it at its end.
func (t *table) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write table: %w", err)
	}
	if err := os.WriteFile(path, []byte(replaceTable(string(text), t.markdown)), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// replaceTable returns text with what is between the marks replaced by what
// table makes of it.
func replaceTable(text string, table func(old string) string) string {
	before, rest, found := strings.Cut(text, tableBegin)
	old, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		return strings.TrimLeft(strings.TrimRight(text, "\n")+"\n\n"+tableBegin+"\n\n"+table("")+"\n"+tableEnd+"\n", "\n")
	}
	return before + tableBegin + "\n\n" + table(old) + "\n" + tableEnd + after
}
