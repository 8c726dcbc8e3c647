package conf

import (
	"fmt"
	"strings"
	"unicode"
)

// schema describes one kind of block: its labels, its arguments, the blocks in
// it and the defaults. Decoding follows it, and so does docs/configuration.md,
// so that neither knows a word that the other does not.
type schema[T any] struct {
	kind   string
	labels []string   // what each label is, in words
	doc    string     // for the reference
	start  func() T   // the defaults
	keys   []key[T]   // arguments
	blocks []inner[T] // nested blocks
}

// key is one argument of a block that is decoded into a T.
type key[T any] struct {
	name     string
	kind     string // for the reference: "whole number"
	limits   string // for the reference: "0 to 65535"
	doc      string
	required bool
	shared   string // the section of the reference that describes it, for those of many blocks
	set      func(d *decoder, v value, to *T)
	show     func(*T) string // the value as it would be written; "" is none
}

// inner is one kind of nested block.
type inner[T any] struct {
	kind   string
	once   bool
	decode func(d *decoder, b *block, to *T)
	ref    func() reference
}

// must marks the key as one that has to be given.
func (k key[T]) must() key[T] {
	k.required = true
	return k
}

// by replaces how the reference shows the default, in words.
func (k key[T]) by(words string) key[T] {
	k.show = func(*T) string { return words }
	return k
}

// decoder decodes one piece.
type decoder struct {
	env      *environment
	problems []problem
	usesEnv  bool // the result depends on env
	usesDisk bool // the result depends on files elsewhere
}

// fail reports a problem, which is a whole sentence without its full stop.
func (d *decoder) fail(at span, format string, args ...any) {
	d.problems = append(d.problems, problem{at: at, summary: fmt.Sprintf(format, args...)})
}

// failHint reports a problem together with a sentence that helps.
func (d *decoder) failHint(at span, hint, format string, args ...any) {
	d.problems = append(d.problems, problem{at: at, summary: fmt.Sprintf(format, args...), detail: hint})
}

// decode decodes b, starting from the defaults.
func (s *schema[T]) decode(d *decoder, b *block) T {
	to := s.start()
	s.checkLabels(d, b)
	for i := range b.body.args {
		s.arg(d, &b.body, i, &to)
	}
	for i := range s.keys {
		if k := &s.keys[i]; k.required && b.body.find(k.name) == nil {
			d.fail(b.at, "%s: %s is missing", s.kind, k.name)
		}
	}
	var seen map[string]bool
	for i := range b.body.blocks {
		in := &b.body.blocks[i]
		n := s.innerOf(in.kind)
		if n == nil {
			d.failHint(in.at, s.suggestBlock(in.kind), "%s: unknown block %q", s.kind, in.kind)
			continue
		}
		if n.once {
			if seen[in.kind] {
				d.fail(in.at, "%s: block %s is given twice", s.kind, in.kind)
				continue
			}
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[in.kind] = true
		}
		n.decode(d, in, &to)
	}
	return to
}

// arg decodes the i-th argument of b.
func (s *schema[T]) arg(d *decoder, b *body, i int, to *T) {
	a := &b.args[i]
	for j := range s.keys {
		if s.keys[j].name == a.name {
			switch a.value.kind {
			case noValue: // its expression has been reported
			case nullValue: // as if it were not there
			default:
				s.keys[j].set(d, a.value, to)
			}
			return
		}
	}
	in := ""
	if s.kind != "" {
		in = s.kind + ": "
	}
	d.failHint(a.at, s.suggestArg(a.name), "%sunknown argument %q", in, a.name)
}

// checkLabels compares the labels with those of the schema.
func (s *schema[T]) checkLabels(d *decoder, b *block) {
	switch {
	case len(b.labels) == len(s.labels):
		for i, l := range b.labels {
			d.checkName(s.kind, s.labels[i], l)
		}
	case len(s.labels) == 0:
		d.fail(b.at, "%s: want no label, got %d", s.kind, len(b.labels))
	default:
		d.fail(b.at, "%s: want %s as label, got %d labels", s.kind, strings.Join(s.labels, " and "), len(b.labels))
	}
}

// maxName bounds the names that stand in tables, events and metrics.
const maxName = 128

// checkName checks the label of a block of a kind, which is what in words.
func (d *decoder) checkName(kind, what string, l label) {
	switch {
	case l.text == "":
		d.fail(l.at, "%s: %s is empty", kind, what)
	case len(l.text) > maxName:
		d.fail(l.at, "%s: %s has %d bytes: want at most %d", kind, what, len(l.text), maxName)
	case strings.ContainsFunc(l.text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		d.fail(l.at, "%s %q: want a name without white space and control characters", kind, l.text)
	}
}

func (s *schema[T]) innerOf(kind string) *inner[T] {
	for i := range s.blocks {
		if s.blocks[i].kind == kind {
			return &s.blocks[i]
		}
	}
	return nil
}

// suggestArg says what an unknown argument may have been meant to be.
func (s *schema[T]) suggestArg(name string) string {
	if s.innerOf(name) != nil {
		return fmt.Sprintf("%s is a block: write %s { ... } without the equals sign.", name, name)
	}
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	return suggest(name, names)
}

// suggestBlock says what an unknown block may have been meant to be.
func (s *schema[T]) suggestBlock(kind string) string {
	var kinds []string
	for _, n := range s.blocks {
		kinds = append(kinds, n.kind)
	}
	for _, k := range s.keys {
		if k.name == kind {
			return fmt.Sprintf("%s is an argument: write %s = ...", kind, kind)
		}
	}
	return suggest(kind, kinds)
}

// nest makes the blocks that in describes blocks of a T. What was decoded is
// handed to put.
func nest[T, U any](in *schema[U], once bool, put func(d *decoder, b *block, to *T, u U)) inner[T] {
	return inner[T]{
		kind: in.kind,
		once: once,
		decode: func(d *decoder, b *block, to *T) {
			put(d, b, to, in.decode(d, b))
		},
		ref: in.reference,
	}
}

// variant is one form of a block whose first label decides its form.
type variant[U any] struct {
	label  string
	decode func(d *decoder, b *block) U
	ref    func() reference
}

// variantOf makes a variant of a schema.
func variantOf[U any](label string, s *schema[U]) variant[U] {
	return variant[U]{label, s.decode, s.reference}
}

// choose makes the blocks of kind blocks of a T, in the form that their first
// label says. What was decoded is handed to put.
func choose[T, U any](kind string, variants []variant[U], put func(d *decoder, b *block, to *T, u U)) inner[T] {
	return inner[T]{
		kind: kind,
		decode: func(d *decoder, b *block, to *T) {
			if v := pick(d, b, variants); v != nil {
				put(d, b, to, v.decode(d, b))
			}
		},
		ref: func() reference { return referenceOf(kind, variants) },
	}
}

// pick returns the variant that the first label of b names, or nil.
func pick[U any](d *decoder, b *block, variants []variant[U]) *variant[U] {
	var labels []string
	for i := range variants {
		if len(b.labels) > 0 && variants[i].label == b.labels[0].text {
			return &variants[i]
		}
		labels = append(labels, variants[i].label)
	}
	if len(b.labels) == 0 {
		d.fail(b.at, "%s: want as first label one of %s", b.kind, strings.Join(labels, ", "))
		return nil
	}
	first := b.labels[0]
	d.failHint(first.at, suggest(first.text, labels), "%s %q: want one of %s", b.kind, first.text, strings.Join(labels, ", "))
	return nil
}
