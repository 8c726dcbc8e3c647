package conf

// reference is a schema as docs/configuration.md shows it.
type reference struct {
	kind   string
	labels []string
	doc    string
	once   bool
	choice bool // blocks are the variants of it
	keys   []keyReference
	blocks []reference
}

// keyReference is one row of a table of keys.
type keyReference struct {
	name, kind, limits, fallback, doc string
	required                          bool
	shared                            string
}

// reference describes the schema.
func (s *schema[T]) reference() reference {
	r := reference{kind: s.kind, labels: s.labels, doc: s.doc}
	defaults := s.start()
	for _, k := range s.keys {
		row := keyReference{name: k.name, kind: k.kind, limits: k.limits, doc: k.doc, required: k.required, shared: k.shared}
		if !k.required {
			row.fallback = k.show(&defaults)
		}
		r.keys = append(r.keys, row)
	}
	for _, n := range s.blocks {
		in := n.ref()
		in.once = n.once
		r.blocks = append(r.blocks, in)
	}
	return r
}

// referenceOf describes a kind of block that has variants.
func referenceOf[U any](kind string, variants []variant[U]) reference {
	r := reference{kind: kind, choice: true}
	for _, v := range variants {
		r.blocks = append(r.blocks, v.ref())
	}
	return r
}

// checkReference describes the kinds of checks.
func checkReference() reference { return referenceOf("check", checkVariants) }
