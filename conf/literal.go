package conf

import "strconv"

// readLiteral reads one piece that says everything literally: blocks,
// arguments, plain strings, decimal numbers, booleans and lists of those, in
// ASCII. That is nearly all of a big, generated configuration, and reading it
// here takes a hundredth of the time that a full HCL parser needs (whose
// lexer looks for grapheme clusters). Anything else (expressions, escapes,
// heredocs, mistakes) it does not know and returns false; HCL's own parser
// then has the word. FuzzLiteral holds the two against each other.
func readLiteral(text string) (body, bool) {
	r := literalReader{text: text}
	b := r.body(len(text))
	return b, !r.lost && r.at == len(text)
}

// literalReader reads text from position at on. It is lost once it has met
// something it does not know.
type literalReader struct {
	text string
	at   int
	lost bool
}

// body reads items, one a line, up to a closing brace or the end of the text.
func (r *literalReader) body(end int) body {
	var b body
	for r.lines(); r.at < end && r.peek() != '}' && !r.lost; r.lines() {
		r.item(&b)
		if r.blanks(); r.at < end && !r.newline() {
			r.lost = true
		}
	}
	return b
}

// item reads one argument or block into b.
func (r *literalReader) item(b *body) {
	name := r.name()
	if r.lost {
		return
	}
	text := r.slice(name)
	r.blanks()
	if r.peek() == '=' {
		if b.find(text) != nil {
			r.lost = true // twice
			return
		}
		r.at++
		b.args = append(b.args, arg{name: text, at: name, value: r.value()})
		return
	}
	blk := block{kind: text, at: name}
	r.lost = text == "dynamic" // is to be expanded
	for r.peek() != '{' && !r.lost {
		l := r.label()
		blk.labels = append(blk.labels, l)
		blk.at.end = l.at.end
		r.blanks()
	}
	if r.lost {
		return
	}
	r.at++
	r.blanks()
	if r.newline() {
		blk.body = r.body(len(r.text))
	} else if r.peek() != '}' {
		// One argument may stand on the line of the braces.
		if r.item(&blk.body); len(blk.body.blocks) > 0 {
			r.lost = true
		}
		r.blanks()
	}
	if r.peek() != '}' {
		r.lost = true
		return
	}
	r.at++
	b.blocks = append(b.blocks, blk)
}

// label reads a block's label: a string or a bare word.
func (r *literalReader) label() label {
	if r.peek() == '"' {
		v := r.quoted()
		return label{v.text, v.at}
	}
	at := r.name()
	return label{r.slice(at), at}
}

// value reads an expression that is a literal.
func (r *literalReader) value() value {
	r.blanks()
	switch c := r.peek(); {
	case c == '"':
		return r.quoted()
	case c == '[':
		return r.listed()
	case c == '-' || isDigit(c):
		return r.numeral()
	case isLetter(c):
		at := r.name()
		switch r.slice(at) {
		case "true":
			return value{kind: truthValue, truth: true, at: at}
		case "false":
			return value{kind: truthValue, at: at}
		}
	}
	r.lost = true
	return value{}
}

// quoted reads a string without escapes and templates.
func (r *literalReader) quoted() value {
	start := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return value{kind: textValue, text: r.text[start+1 : r.at-1], at: span{int32(start), int32(r.at)}}
		case c < ' ' || c > '~' || c == '\\' || c == '$' || c == '%':
			r.lost = true
			return value{}
		}
	}
	r.lost = true
	return value{}
}

// numeral reads a decimal number of up to 15 digits, which a float64 holds exactly.
func (r *literalReader) numeral() value {
	start := r.at
	if r.peek() == '-' {
		r.at++
	}
	digits := r.at
	for isDigit(r.peek()) {
		r.at++
	}
	if n := r.at - digits; n == 0 || n > 15 || isWord(r.peek()) || r.peek() == '.' {
		r.lost = true
		return value{}
	}
	text := r.text[start:r.at]
	number, err := strconv.ParseInt(text, 10, 64)
	r.lost = r.lost || err != nil || number == 0 && digits > start // -0
	return value{kind: numberValue, text: strconv.FormatInt(number, 10), number: float64(number), at: span{int32(start), int32(r.at)}}
}

// listed reads a list, which may go over several lines.
func (r *literalReader) listed() value {
	v := value{kind: listValue, at: span{start: int32(r.at)}}
	r.at++
	for r.lines(); r.peek() != ']' && !r.lost; r.lines() {
		v.list = append(v.list, r.value())
		if r.lines(); r.peek() == ',' {
			r.at++
		} else if r.peek() != ']' {
			r.lost = true
		}
	}
	r.at++
	v.at.end = int32(r.at)
	return v
}

// name reads an identifier.
func (r *literalReader) name() span {
	start := r.at
	if !isLetter(r.peek()) {
		r.lost = true
	}
	for isWord(r.peek()) {
		r.at++
	}
	return span{int32(start), int32(r.at)}
}

// lines skips white space, newlines and comments.
func (r *literalReader) lines() {
	for r.blanks(); r.newline(); {
		r.blanks()
	}
}

// blanks skips white space within a line.
func (r *literalReader) blanks() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t') {
		r.at++
	}
}

// newline skips one end of line, together with a comment before it, and says
// whether there was one.
func (r *literalReader) newline() bool {
	i := r.at
	if i < len(r.text) && (r.text[i] == '#' || r.text[i] == '/' && i+1 < len(r.text) && r.text[i+1] == '/') {
		for i < len(r.text) && r.text[i] != '\n' {
			if c := r.text[i]; c > '~' || c < ' ' && c != '\t' {
				r.lost = true
				return false
			}
			i++
		}
	}
	if i < len(r.text) && r.text[i] != '\n' || i == len(r.text) && i == r.at {
		return false
	}
	r.at = min(i+1, len(r.text))
	return true
}

func (r *literalReader) slice(at span) string { return r.text[at.start:at.end] }

// peek returns the next byte; 0 at the end, which nothing accepts.
func (r *literalReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' || c == '-' }
