// Package manpage renders commands as manual pages in the man macros of roff
// (man(7)), from the same texts that their help shows.
package manpage

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// section is the manual's section of every page: system administration.
const section = 8

// Name returns the file name of a command's page: "director-status.8".
func Name(c *cobra.Command) string {
	return fmt.Sprintf("%s.%d", title(c), section)
}

// Pages returns the command and all below it that have a page: those that the
// help shows.
func Pages(c *cobra.Command) []*cobra.Command {
	pages := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
			pages = append(pages, Pages(sub)...)
		}
	}
	return pages
}

// Write writes the page of one command.
func Write(w io.Writer, c *cobra.Command, version string) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %d \"\" %s %s\n", quote(strings.ToUpper(title(c))), section, quote("director "+version), quote("Director"))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(title(c)), escape(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(c.UseLine()))
	if len(c.Aliases) > 0 {
		fmt.Fprintf(&b, ".br\nAlso: %s\n", escape(strings.Join(c.Aliases, ", ")))
	}
	description := c.Long
	if description == "" {
		description = c.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n")
	writeText(&b, description)
	if subs := available(c); len(subs) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range subs {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escape(sub.Name()), escape(sub.Short))
		}
	}
	if c.HasAvailableLocalFlags() {
		b.WriteString(".SH OPTIONS\n")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" {
				writeFlag(&b, f)
			}
		})
	}
	writeSeeAlso(&b, c)
	_, err := io.WriteString(w, b.String())
	return err
}

// title is the page's name: the command's path with hyphens.
func title(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-")
}

func available(c *cobra.Command) []*cobra.Command {
	return Pages(c)[1:]
}

func writeFlag(b *strings.Builder, f *pflag.Flag) {
	value, usage := pflag.UnquoteUsage(f)
	names := "\\-\\-" + escape(f.Name)
	if f.Shorthand != "" {
		names = "\\-" + f.Shorthand + ", " + names
	}
	fmt.Fprintf(b, ".TP\n.B %s", names)
	if value != "" {
		fmt.Fprintf(b, " %s", escape(value))
	}
	fmt.Fprintf(b, "\n%s", escape(usage))
	switch f.DefValue {
	case "", "false", "[]", "0", "0s":
	default:
		fmt.Fprintf(b, " (default: %s)", escape(f.DefValue))
	}
	b.WriteByte('\n')
}

func writeSeeAlso(b *strings.Builder, c *cobra.Command) {
	var refs []string
	if c.HasParent() {
		refs = append(refs, fmt.Sprintf(".BR %s (%d)", escape(title(c.Parent())), section))
	}
	for _, sub := range available(c) {
		refs = append(refs, fmt.Sprintf(".BR %s (%d)", escape(title(sub)), section))
	}
	if len(refs) > 0 {
		fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", strings.Join(refs, ",\n"))
	}
}

// writeText writes paragraphs. Lines that begin with a blank stand as they are.
func writeText(b *strings.Builder, text string) {
	verbatim := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if indented := strings.HasPrefix(line, " "); indented != verbatim && line != "" {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			verbatim = indented
		}
		if line == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(escape(line) + "\n")
	}
	if verbatim {
		b.WriteString(".fi\n")
	}
}

// escape keeps roff from reading text as requests: backslashes, a hyphen that
// must stay one when it is copied, and a dot or quote that begins a line.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

func quote(text string) string {
	return `"` + strings.ReplaceAll(escape(text), `"`, `\(dq`) + `"`
}
