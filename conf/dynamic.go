package conf

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxDynamic bounds what one dynamic block may expand to, so that a slip of
// the pen does not eat the memory.
const maxDynamic = 100_000

// dynamic expands one block of the form
//
//	dynamic "real_server" {
//	  for_each = local.web
//	  iterator = "server"                 # default: the kind, real_server
//	  labels   = ["${server.value}:80"]
//	  content { weight = 10 }
//	}
//
// into one real_server for each element, in the order of a list or of the keys
// of a map. Within it, server.key and server.value are the element's.
func (e *evaluator) dynamic(ctx *hcl.EvalContext, src *hclsyntax.Block) []block {
	if len(src.Labels) != 1 {
		e.fail(src.DefRange(), "dynamic: want one label, the kind of the blocks that it makes", "")
		return nil
	}
	forEach, content := src.Body.Attributes["for_each"], (*hclsyntax.Block)(nil)
	for name, a := range src.Body.Attributes {
		if name != "for_each" && name != "labels" && name != "iterator" {
			e.fail(a.NameRange, "dynamic: unknown argument "+quote(name), suggest(name, []string{"for_each", "labels", "iterator"}))
		}
	}
	for _, blk := range src.Body.Blocks {
		if blk.Type != "content" || content != nil || len(blk.Labels) > 0 {
			e.fail(blk.DefRange(), "dynamic: want one block, content, without labels", "")
			return nil
		}
		content = blk
	}
	if forEach == nil || content == nil {
		e.fail(src.DefRange(), "dynamic: want for_each and a block content", "")
		return nil
	}
	iterator := src.Labels[0]
	if a := src.Body.Attributes["iterator"]; a != nil {
		if iterator = e.value(ctx, a.Expr).text; !hclsyntax.ValidIdentifier(iterator) {
			e.fail(a.Expr.Range(), "iterator: want a name in quotes", "")
			return nil
		}
	}
	return e.repeat(ctx, src, forEach, content, iterator)
}

// repeat makes one block of content for each element of forEach.
func (e *evaluator) repeat(ctx *hcl.EvalContext, src *hclsyntax.Block, forEach *hclsyntax.Attribute, content *hclsyntax.Block, iterator string) []block {
	over, diags := forEach.Expr.Value(ctx)
	e.diags = append(e.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	if !over.IsKnown() {
		return nil // the reason has been reported
	}
	if over.IsNull() || !over.CanIterateElements() {
		e.fail(forEach.Expr.Range(), "for_each: want a list or a map", "")
		return nil
	}
	if over.LengthInt() > maxDynamic {
		e.fail(forEach.Expr.Range(), "for_each: too many elements", "")
		return nil
	}
	var blocks []block
	for key, element := range over.Elements() {
		if over.Type().IsSetType() {
			key = element
		}
		child := ctx.NewChild()
		child.Variables = map[string]cty.Value{iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": element})}
		blk := block{kind: src.Labels[0], at: e.span(src.DefRange())}
		if a := src.Body.Attributes["labels"]; a != nil {
			labels := e.value(child, a.Expr)
			if labels.kind == noValue {
				return nil
			}
			for _, v := range labels.list {
				if v.kind != textValue {
					e.fail(a.Expr.Range(), "labels: want strings", "")
					return nil
				}
				blk.labels = append(blk.labels, label{v.text, v.at})
			}
		}
		blk.body = e.body(child, content.Body)
		if blocks = append(blocks, blk); len(e.diags) > 0 {
			return blocks // the same problem need not be told for every element
		}
	}
	return blocks
}
