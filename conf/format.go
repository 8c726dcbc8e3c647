package conf

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout: two spaces a level, equals signs
// of neighbouring arguments in a column. Only white space changes. name is the
// file's, for the problems when src cannot be parsed; the error is a *Problems.
func Format(name string, src []byte) ([]byte, error) {
	s := &source{name: name, text: src, cuts: cut(src)}
	p := &Problems{files: hclFiles([]*source{s})}
	if d := s.shallow(); d != nil {
		p.list = append(p.list, d)
		return nil, p
	}
	if _, p.list = hclsyntax.ParseConfig(src, name, hcl.InitialPos); p.list.HasErrors() {
		p.sort()
		return nil, p
	}
	return hclwrite.Format(src), nil
}
