package conf

// The decoder works on a tree of its own: what a piece of configuration says
// once every expression has its value. Two readers make it, readLiteral and
// the evaluation of HCL's syntax tree, and both remember where each thing
// stands, so that a problem can be shown in the source.

// span is a stretch of source text, in bytes from the start of its piece.
type span struct{ start, end int32 }

// body is what stands between braces: arguments and blocks, in their order.
type body struct {
	args   []arg
	blocks []block
}

// arg is one argument: name = value.
type arg struct {
	name  string
	at    span // of the name
	value value
}

// block is one nested block: kind "label" { ... }.
type block struct {
	kind   string
	labels []label
	at     span // from the kind to the last label
	body   body
}

// label is one label of a block.
type label struct {
	text string
	at   span
}

// valueKind says which fields of a value count.
type valueKind uint8

const (
	noValue   valueKind = iota // unknown, because of a problem that is reported already
	nullValue                  // as if the argument were not there
	textValue
	numberValue
	truthValue
	listValue
	objectValue
)

// String returns the kind as problems name it, with its article.
func (k valueKind) String() string {
	switch k {
	case textValue:
		return "a string"
	case numberValue:
		return "a number"
	case truthValue:
		return "a boolean"
	case listValue:
		return "a list"
	case objectValue:
		return "an object"
	}
	return "nothing"
}

// value is the value of an expression.
type value struct {
	kind   valueKind
	truth  bool
	at     span
	text   string  // of a text; of a number, as it is written
	number float64 // of a number
	list   []value // of a list; of an object: key, value, key, value, ...
}

// find returns the argument called name, or nil if it is not there, or null.
func (b *body) find(name string) *arg {
	for i := range b.args {
		if b.args[i].name == name && b.args[i].value.kind != nullValue {
			return &b.args[i]
		}
	}
	return nil
}

// where returns the place to point at for a problem with the argument called
// name: its value, or the block's header when it is not there.
func (b *block) where(name string) span {
	if a := b.body.find(name); a != nil {
		return a.value.at
	}
	return b.at
}

// label returns the block's i-th label. The schema has made sure that it is there.
func (b *block) label(i int) label {
	if i < len(b.labels) {
		return b.labels[i]
	}
	return label{at: b.at}
}
