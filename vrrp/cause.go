package vrrp

import "fmt"

// cause is why something happened. It is put into words when somebody reads it, once,
// and not before: that takes longer than all else that is to be done until a new
// master speaks.
type cause struct {
	words string
	about []any // what is to be put into the words, if they are a format
}

// because returns a cause in the words of a format, or in words as they are when
// nothing is to be put into them.
func because(words string, about ...any) *cause { return &cause{words, about} }

func (c *cause) String() string {
	if c == nil {
		return ""
	}
	if len(c.about) > 0 {
		*c = cause{words: fmt.Sprintf(c.words, c.about...)}
	}
	return c.words
}
