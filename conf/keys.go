package conf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The constructors below make the keys of all schemas: each knows one type of
// argument, its limits in words and how to refuse what is out of them.

// want reports a value of the wrong type and says what is wanted.
func (d *decoder) want(name string, v value, what string) {
	if v.kind == textValue {
		d.fail(v.at, "%s %q: want %s", name, v.text, what)
		return
	}
	d.fail(v.at, "%s: want %s, got %s", name, what, v.kind)
}

// text is an argument that is any string.
func text[T any](name string, field func(*T) *string, doc string) key[T] {
	return checkedText(name, "string", field, nil, doc)
}

// checkedText is a string that check has to agree with; it returns what is wanted
// instead, or nothing.
func checkedText[T any](name, kind string, field func(*T) *string, check func(string) string, doc string) key[T] {
	return key[T]{
		name: name, kind: kind, doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != textValue {
				d.want(name, v, "a string")
				return
			}
			if check != nil {
				if want := check(v.text); want != "" {
					d.fail(v.at, "%s %q: want %s", name, v.text, want)
					return
				}
			}
			*field(to) = v.text
		},
		show: func(t *T) string {
			if *field(t) == "" {
				return ""
			}
			return quote(*field(t))
		},
	}
}

// integer is what a whole number is decoded into.
type integer interface {
	~int | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// number is a whole number from low to high.
func number[T any, N integer](name string, low, high int64, field func(*T) *N, doc string) key[T] {
	limits := fmt.Sprintf("%d to %d", low, high)
	return key[T]{
		name: name, kind: "whole number", limits: limits, doc: doc,
		set: func(d *decoder, v value, to *T) {
			if n, ok := d.number(name, v, low, high, limits); ok {
				*field(to) = N(n)
			}
		},
		show: func(t *T) string { return strconv.FormatInt(int64(*field(t)), 10) },
	}
}

// number returns the whole number that v is, when it is within its limits.
func (d *decoder) number(name string, v value, low, high int64, limits string) (int64, bool) {
	switch {
	case v.kind != numberValue:
		d.want(name, v, "a whole number, "+limits)
	case v.number < float64(low) || v.number > float64(high):
		d.fail(v.at, "%s %s: want %s", name, v.text, limits)
	case v.number != float64(int64(v.number)):
		d.fail(v.at, "%s %s: want a whole number, %s", name, v.text, limits)
	default:
		return int64(v.number), true
	}
	return 0, false
}

// truth is a boolean.
func truth[T any](name string, field func(*T) *bool, doc string) key[T] {
	return key[T]{
		name: name, kind: "boolean", doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != truthValue {
				d.want(name, v, "true or false")
				return
			}
			*field(to) = v.truth
		},
		show: func(t *T) string { return strconv.FormatBool(*field(t)) },
	}
}

// duration is a time such as "1.5s", from low to high.
func duration[T any](name string, low, high time.Duration, field func(*T) *time.Duration, doc string) key[T] {
	limits := durationText(low) + " to " + durationText(high)
	return key[T]{
		name: name, kind: "duration", limits: limits, doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != textValue {
				d.want(name, v, `a duration in quotes, such as "2s"`)
				return
			}
			t, err := time.ParseDuration(v.text)
			switch {
			case err != nil:
				d.fail(v.at, "%s %q: want a duration such as \"500ms\", \"2s\", \"5m\"", name, v.text)
			case t < low || t > high:
				d.fail(v.at, "%s %s: want %s", name, durationText(t), limits)
			default:
				*field(to) = t
			}
		},
		show: func(t *T) string { return quote(durationText(*field(t))) },
	}
}

// seconds is a duration that the kernel keeps in whole seconds.
func seconds[T any](name string, low, high time.Duration, field func(*T) *time.Duration, doc string) key[T] {
	k := duration(name, low, high, field, doc)
	k.limits += ", whole seconds"
	set := k.set
	k.set = func(d *decoder, v value, to *T) {
		set(d, v, to)
		if t := *field(to); t%time.Second != 0 {
			d.fail(v.at, "%s %s: want whole seconds", name, durationText(t))
		}
	}
	return k
}

// durationText writes a duration as people do: "1m30s", "2h", never "2h0m0s".
func durationText(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// word is one of the words that a choice accepts, and what it means.
type word[E comparable] struct {
	text    string
	meaning E
}

// choice is one of a few words.
func choice[T any, E comparable](name string, words []word[E], field func(*T) *E, doc string) key[T] {
	var all []string
	for _, w := range words {
		all = append(all, w.text)
	}
	return key[T]{
		name: name, kind: "word", limits: strings.Join(all, ", "), doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != textValue {
				d.want(name, v, "one of "+strings.Join(all, ", "))
				return
			}
			for _, w := range words {
				if w.text == v.text {
					*field(to) = w.meaning
					return
				}
			}
			d.failHint(v.at, suggest(v.text, all), "%s %q: want one of %s", name, v.text, strings.Join(all, ", "))
		},
		show: func(t *T) string {
			for _, w := range words {
				if w.meaning == *field(t) {
					return quote(w.text)
				}
			}
			return ""
		},
	}
}

// list is a list whose elements one by one are handed to add. A single element
// may not stand without its brackets: one meaning, one form.
func list[T any](name, kind string, add func(d *decoder, v value, to *T), doc string) key[T] {
	return key[T]{
		name: name, kind: "list of " + kind, doc: doc,
		set: func(d *decoder, v value, to *T) {
			if v.kind != listValue {
				d.want(name, v, "a list of "+kind)
				return
			}
			if len(v.list) == 0 {
				d.fail(v.at, "%s: the list is empty", name)
			}
			for _, element := range v.list {
				add(d, element, to)
			}
		},
		show: func(*T) string { return "" },
	}
}

// texts is a list of strings.
func texts[T any](name, kind string, field func(*T) *[]string, doc string) key[T] {
	k := list(name, kind, func(d *decoder, v value, to *T) {
		if v.kind != textValue {
			d.want(name, v, "a string")
			return
		}
		*field(to) = append(*field(to), v.text)
	}, doc)
	set := k.set
	k.set = func(d *decoder, v value, to *T) {
		*field(to) = nil // what is given replaces the default
		set(d, v, to)
	}
	k.show = func(t *T) string {
		var quoted []string
		for _, s := range *field(t) {
			quoted = append(quoted, quote(s))
		}
		if quoted == nil {
			return ""
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return k
}
