package conf

import (
	"bytes"
)

// secretKeys are two arguments for one secret: the secret itself and a file
// that holds it, so that the configuration may be shown to everybody.
func secretKeys[T any](name string, field func(*T) *string, doc string) []key[T] {
	return []key[T]{
		text(name, field, doc).by("none"),
		{
			name: name + "_file", kind: "path", doc: "file whose first line is the " + name + ", read when the configuration is loaded",
			set: func(d *decoder, v value, to *T) {
				if v.kind != textValue {
					d.want(name+"_file", v, "the path of a file in quotes")
					return
				}
				d.usesDisk = true
				content, err := ReadFile(v.text)
				line, _, _ := bytes.Cut(content, []byte("\n"))
				switch line = bytes.TrimRight(line, "\r"); {
				case err != nil:
					d.fail(v.at, "%s_file: %s", name, err)
				case len(line) == 0:
					d.fail(v.at, "%s_file %q: the first line is empty", name, v.text)
				default:
					*field(to) = string(line)
				}
			},
			show: func(*T) string { return "none" },
		},
	}
}

// onlyOne reports that both of two arguments are given.
func (b *block) onlyOne(d *decoder, one, other string) {
	if b.body.find(one) != nil && b.body.find(other) != nil {
		d.fail(b.where(other), "want one of %s and %s", one, other)
	}
}
