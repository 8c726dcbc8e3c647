package conf

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluator turns HCL's syntax tree of one piece into our tree by giving every
// expression its value. Ranges of HCL count from the start of the file, our
// spans from the start of the piece.
type evaluator struct {
	start int // of the piece in its file
	diags hcl.Diagnostics
}

// body evaluates a body in ctx, with its dynamic blocks expanded in place.
func (e *evaluator) body(ctx *hcl.EvalContext, src *hclsyntax.Body) body {
	var b body
	for _, a := range src.Attributes {
		b.args = append(b.args, arg{name: a.Name, at: e.span(a.NameRange), value: e.value(ctx, a.Expr)})
	}
	slices.SortFunc(b.args, func(x, y arg) int { return int(x.at.start) - int(y.at.start) })
	for _, blk := range src.Blocks {
		if blk.Type == "dynamic" {
			b.blocks = append(b.blocks, e.dynamic(ctx, blk)...)
		} else {
			b.blocks = append(b.blocks, e.block(ctx, blk))
		}
	}
	return b
}

// block evaluates an ordinary block.
func (e *evaluator) block(ctx *hcl.EvalContext, src *hclsyntax.Block) block {
	blk := block{kind: src.Type, at: e.span(src.DefRange())}
	for i, text := range src.Labels {
		blk.labels = append(blk.labels, label{text, e.span(src.LabelRanges[i])})
	}
	blk.body = e.body(ctx, src.Body)
	return blk
}

// value evaluates an expression. Elements of a list that is written out have
// their own places.
func (e *evaluator) value(ctx *hcl.EvalContext, expr hclsyntax.Expression) value {
	if list, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		v := value{kind: listValue, at: e.span(expr.Range())}
		for _, element := range list.Exprs {
			if v.list = append(v.list, e.value(ctx, element)); v.list[len(v.list)-1].kind == noValue {
				v.kind = noValue
			}
		}
		return v
	}
	result, diags := expr.Value(ctx)
	e.diags = append(e.diags, diags...)
	if diags.HasErrors() {
		// Reported here and once; the argument counts as not given.
		return value{at: e.span(expr.Range())}
	}
	return fromCty(result, e.span(expr.Range()))
}

// span returns rng as a span of the piece.
func (e *evaluator) span(rng hcl.Range) span {
	return span{int32(rng.Start.Byte - e.start), int32(rng.End.Byte - e.start)}
}

// fail reports a problem that only the syntax tree shows.
func (e *evaluator) fail(rng hcl.Range, summary, detail string) {
	e.diags = append(e.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng})
}

// numberText is a number as it is written, or with an exponent, short being the nearest
// that has one. All the digits of 1e100000000 would take minutes.
func numberText(f *big.Float, short float64) string {
	const bits, digits = 1024, 20
	if exponent := f.MantExp(nil); exponent < -bits || exponent > bits {
		return fmt.Sprintf("about 1e%d", int(float64(exponent)*math.Log10(2)))
	}
	if text := f.Text('f', -1); len(text) <= digits {
		return text
	}
	return fmt.Sprintf("%g", short)
}

// fromCty converts a known value of HCL's type system.
func fromCty(v cty.Value, at span) value {
	out := value{at: at}
	switch {
	case !v.IsWhollyKnown():
		return out
	case v.IsNull():
		out.kind = nullValue
		return out
	}
	switch t := v.Type(); {
	case t == cty.String:
		out.kind, out.text = textValue, v.AsString()
	case t == cty.Bool:
		out.kind, out.truth = truthValue, v.True()
	case t == cty.Number:
		out.kind = numberValue
		out.number, _ = v.AsBigFloat().Float64()
		out.text = numberText(v.AsBigFloat(), out.number)
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		out.kind = listValue
		for _, element := range v.Elements() {
			out.list = append(out.list, fromCty(element, at))
		}
	case t.IsMapType(), t.IsObjectType():
		out.kind = objectValue
		for name, element := range v.Elements() {
			out.list = append(out.list, fromCty(name, at), fromCty(element, at))
		}
	}
	return out
}
