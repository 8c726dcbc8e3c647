package checks

import (
	"bytes"
	"fmt"
	"regexp"
)

// Expect says what an answer must be like. The zero Expect wants nothing.
type Expect struct {
	Contains string // text that it holds
	Matches  string // regular expression (RE2) that it matches; ^ and $ are the ends of its lines
}

// wanted is an Expect made ready.
type wanted struct {
	contains []byte
	matches  *regexp.Regexp
	source   string // of matches, as an operator wrote it
}

func (e Expect) compile() (wanted, error) {
	w := wanted{contains: []byte(e.Contains), source: e.Matches}
	if e.Matches == "" {
		return w, nil
	}
	var err error
	// Of lines: the rest of the line that ended the last step may come only now,
	// before the answer to this one.
	w.matches, err = regexp.Compile("(?m)" + e.Matches)
	return w, err
}

func (w wanted) anything() bool { return len(w.contains) == 0 && w.matches == nil }

func (w wanted) met(b []byte) bool {
	return bytes.Contains(b, w.contains) && (w.matches == nil || w.matches.Match(b))
}

// String says what is wanted: `"pong"`, `/^[a-z]+/`.
func (w wanted) String() string {
	switch {
	case w.matches == nil:
		return fmt.Sprintf("%q", w.contains)
	case len(w.contains) == 0:
		return "/" + w.source + "/"
	}
	return fmt.Sprintf("%q and /%s/", w.contains, w.source)
}
