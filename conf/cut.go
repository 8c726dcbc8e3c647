package conf

import "bytes"

// cut splits a file at its top-level items, blocks and arguments, with one
// scan, so that each can be read, decoded and remembered by itself.
//
// It only counts brackets outside of strings and comments. That is no parser,
// and does not have to be one: pieces that parse one by one and that have
// nothing but blanks and comments between them are, put together, the same
// configuration. Where the scan is misled (by a brace in a nested template), a
// piece is not one item, and its file is parsed as a whole.
func cut(src []byte) []span {
	var pieces []span
	for at := skipBlank(src, 0); at < len(src); {
		end := itemEnd(src, at)
		pieces = append(pieces, span{int32(at), int32(end)})
		at = skipBlank(src, end)
	}
	return pieces
}

// itemEnd returns the end of the item that starts at i: the first end of a
// line with all brackets closed.
func itemEnd(src []byte, i int) int {
	for depth := 0; i < len(src); i++ {
		switch src[i] {
		case '\n':
			if depth <= 0 {
				return i + 1
			}
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case '"':
			i = stringEnd(src, i+1)
		case '#':
			i = lineEnd(src, i) - 1
		case '/':
			if n := comment(src, i); n > i {
				i = n - 1
			}
		case '<':
			if n := heredocEnd(src, i); n > i {
				i = n - 1
			}
		}
	}
	return len(src)
}

// skipBlank returns the first position from i on that is not white space or in a comment.
func skipBlank(src []byte, i int) int {
	for i < len(src) {
		switch src[i] {
		case ' ', '\t', '\n':
			i++
		case '\r': // white space only as a part of an end of line
			if i+1 == len(src) || src[i+1] != '\n' {
				return i
			}
			i++
		case '#':
			i = lineEnd(src, i)
		case '/':
			n := comment(src, i)
			if n == i {
				return i
			}
			i = n
		default:
			return i
		}
	}
	return i
}

// comment returns the end of the comment that starts with the slash at i, or
// i. A // comment ends before its newline.
func comment(src []byte, i int) int {
	if i+1 == len(src) {
		return i
	}
	switch src[i+1] {
	case '/':
		return lineEnd(src, i)
	case '*':
		if n := bytes.Index(src[i+2:], []byte("*/")); n >= 0 {
			return i + 2 + n + 2
		}
	}
	return i
}

// stringEnd returns the position of the quote that ends the string that i is
// in, or of the newline that cuts it off.
func stringEnd(src []byte, i int) int {
	for ; i < len(src); i++ {
		switch src[i] {
		case '"':
			return i
		case '\\':
			i++
		case '\n':
			return i - 1
		}
	}
	return i
}

// heredocEnd returns the position of the newline that ends the heredoc which
// starts at i, <<WORD or <<-WORD, or i.
func heredocEnd(src []byte, i int) int {
	word, ok := bytes.CutPrefix(src[i:lineEnd(src, i)], []byte("<<"))
	if !ok {
		return i
	}
	word = bytes.TrimSpace(bytes.TrimPrefix(word, []byte("-")))
	for at := lineEnd(src, i) + 1; at < len(src); {
		end := lineEnd(src, at)
		if bytes.Equal(bytes.TrimSpace(src[at:end]), word) {
			return end
		}
		at = end + 1
	}
	return i
}

// lineEnd returns the position of the newline that ends the line that i is in.
func lineEnd(src []byte, i int) int {
	if n := bytes.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(src)
}

// maxDepth is how deep a file may nest. The parsers call themselves for each
// level, and a stack that overflows ends the whole daemon.
const maxDepth = 10_000

// tooDeep returns where src nests deeper than maxDepth, or -1. It counts
// brackets wherever they stand, operators in front of operators, and conditions
// in one line or between round or square brackets, since all that follows each of
// these may be nested in it.
func tooDeep(src []byte) int {
	type level struct {
		goesOn     bool // an expression does, on the next line
		conditions int
	}
	levels := []level{{}}
	unary, conditions := 0, 0
	for i, c := range src {
		top := &levels[len(levels)-1]
		switch c {
		case '{', '[', '(':
			levels = append(levels, level{goesOn: c != '{'})
		case '}', ']', ')':
			if len(levels) > 1 {
				conditions -= top.conditions
				levels = levels[:len(levels)-1]
			}
		case '?':
			top.conditions++
			conditions++
		case '!', '-':
			unary++
		case '\n':
			if !top.goesOn {
				conditions -= top.conditions
				top.conditions, unary = 0, 0
			}
		case ' ', '\t', '\r':
		default:
			unary = 0
		}
		if len(levels)-1+unary+conditions > maxDepth {
			return i
		}
	}
	return -1
}
