package conf

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evalLocals gives every argument of the locals blocks its value, in the order
// of their references to each other, and returns the context in which all
// other expressions are evaluated: local.NAME and the functions.
func evalLocals(pieces []*piece) (*hcl.EvalContext, hcl.Diagnostics) {
	l := locals{ctx: &hcl.EvalContext{Functions: functions()}, args: map[string]*hclsyntax.Attribute{}, values: map[string]cty.Value{}}
	for _, p := range pieces {
		blk := p.node
		for _, label := range blk.LabelRanges {
			l.fail(label, "locals: want no label", "")
		}
		for _, inner := range blk.Body.Blocks {
			l.fail(inner.DefRange(), "locals: want arguments, not blocks", "A local value is written as: name = expression.")
		}
		for name, a := range blk.Body.Attributes {
			if first := l.args[name]; first != nil {
				l.fail(a.NameRange, "local "+quote(name)+" is defined twice", "First at "+place(first.NameRange)+".")
				continue
			}
			l.args[name] = a
			l.names = append(l.names, name)
		}
	}
	slices.Sort(l.names)
	for _, name := range l.names {
		l.eval(name, nil)
	}
	l.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(l.values)}
	return l.ctx, l.diags
}

// locals are local values on their way.
type locals struct {
	ctx    *hcl.EvalContext
	args   map[string]*hclsyntax.Attribute
	names  []string
	values map[string]cty.Value // present, maybe unknown, once evaluated
	diags  hcl.Diagnostics
}

// eval gives the local called name its value, after those that it refers to.
// The names in path are waiting for it.
func (l *locals) eval(name string, path []string) {
	a := l.args[name]
	if _, done := l.values[name]; done || a == nil {
		return
	}
	if slices.Contains(path, name) {
		l.fail(a.Range(), "locals refer to each other in a circle", strings.Join(append(path[slices.Index(path, name):], name), " -> ")+".")
		l.values[name] = cty.DynamicVal
		return
	}
	for _, t := range a.Expr.Variables() {
		if t.RootName() != "local" || len(t) < 2 {
			continue
		}
		if step, ok := t[1].(hcl.TraverseAttr); ok {
			l.eval(step.Name, append(slices.Clone(path), name))
		}
	}
	if _, failed := l.values[name]; failed {
		return
	}
	l.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(l.values)}
	v, diags := a.Expr.Value(l.ctx)
	l.diags = append(l.diags, diags...)
	if diags.HasErrors() {
		v = cty.DynamicVal
	}
	l.values[name] = v
}

func (l *locals) fail(rng hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng})
}
