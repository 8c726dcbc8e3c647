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
	_, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		s := &source{name: name, text: src, cuts: cut(src)}
		p := &Problems{list: diags, files: hclFiles([]*source{s})}
		p.sort()
		return nil, p
	}
	return hclwrite.Format(src), nil
}
