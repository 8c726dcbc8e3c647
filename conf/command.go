package conf

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lvs-director/director/checks"
)

// commandKey is the argument vector of a program.
func commandKey[T any](field func(*T) *checks.Command, doc string) key[T] {
	return key[T]{
		name: "command", kind: "list of strings", required: true, doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != listValue {
				d.want("command", v, "a list: the program and its arguments")
				return
			}
			if len(v.list) == 0 || v.list[0].kind == textValue && v.list[0].text == "" {
				d.fail(v.at, "command: want the program and its arguments, got none")
				return
			}
			c := checks.Command{User: d.scripts().user}
			for _, word := range v.list {
				if word.kind != textValue {
					d.want("command", word, "a string")
					return
				}
				if strings.ContainsRune(word.text, 0) {
					d.fail(word.at, "command: a zero byte cannot be in an argument")
					return
				}
				c.Argv = append(c.Argv, word.text)
			}
			c.Argv[0] = d.program(v.list[0])
			*field(to) = c
		},
		show: func(*T) string { return "" },
	}
}

// program returns the absolute path of the program that v names.
func (d *decoder) program(v value) string {
	switch {
	case filepath.IsAbs(v.text):
		return v.text
	case strings.ContainsRune(v.text, '/'):
		d.fail(v.at, "command %q: want an absolute path, or a name to be found in the paths of scripts", v.text)
		return ""
	}
	d.usesDisk = true
	paths := d.scripts().paths
	if len(paths) == 0 {
		d.fail(v.at, "command %q: want an absolute path, scripts has no paths to look in", v.text)
		return ""
	}
	for _, dir := range paths {
		name := filepath.Join(dir, v.text)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return name
		}
	}
	d.fail(v.at, "command %q: no such program in %s", v.text, strings.Join(paths, ", "))
	return ""
}

// scripts returns the settings of block scripts.
func (d *decoder) scripts() scripts {
	d.usesEnv = true
	return d.env.scripts
}
