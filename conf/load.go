package conf

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Load reads the configuration in the file called path, or in all *.hcl files
// of the directory called path. When it is wrong, the error is a *Problems.
func Load(path string) (*Config, error) { return NewLoader(path).Load() }

// Loader loads the same configuration again and again, and decodes only what
// has changed. It is used by one goroutine.
//
// The files are cut at their top-level blocks. A block of the same text as one
// in the load before gives the very same values, where these depend on the
// text only, or where the blocks that others depend on (locals, named checks,
// scripts) are the same as before.
type Loader struct {
	path   string
	known  map[string]*decoded // by text
	inputs string              // the text of all blocks that others depend on
}

// NewLoader returns a Loader of the configuration at path, a file or a directory.
func NewLoader(path string) *Loader { return &Loader{path: path} }

// decoded is what one piece says.
type decoded struct {
	text     string
	value    any // *group, *virtualServer, ...
	problems []problem
	usesEnv  bool
	usesDisk bool
}

// piece is one top-level item of a file, on its way.
type piece struct {
	source *source
	start  int
	text   string
	kind   string // of the block; empty for an argument

	result  *decoded
	literal *body            // as read by readLiteral
	node    *hclsyntax.Block // as parsed by HCL
	arg     *hclsyntax.Attribute
	misfit  bool // it is not one item
	diags   hcl.Diagnostics
}

// environment is what the decoding of one block may depend on besides its text.
type environment struct {
	ctx        *hcl.EvalContext
	scripts    scripts
	checks     map[string]*check
	checkNames []string
}

// Load reads the configuration, as the function Load does.
func (l *Loader) Load() (*Config, error) {
	sources, err := readSources(l.path)
	if err != nil {
		return nil, err
	}
	problems := &Problems{files: hclFiles(sources)}
	for _, s := range sources {
		if d := s.shallow(); d != nil {
			problems.list = append(problems.list, d)
		}
	}
	if len(problems.list) > 0 {
		return nil, problems
	}
	pieces, inputs := l.recall(sources)
	each(pieces, (*piece).read)
	misfit := slices.ContainsFunc(pieces, func(p *piece) bool { return p.misfit })
	if misfit {
		// What others depend on may lie hidden in a piece that is not one item.
		l.known, l.inputs = nil, ""
		pieces, _ = l.recall(sources)
		each(pieces, (*piece).read)
	}
	if pieces, problems.list = parseMisfits(sources, pieces); len(problems.list) > 0 {
		problems.sort()
		return nil, problems
	}
	env := decodeEnvironment(pieces, problems)
	each(pieces, func(p *piece) { p.decode(env) })
	c := assemble(pieces, problems)
	if len(problems.list) > 0 {
		problems.sort()
		return nil, problems
	}
	if !misfit {
		l.remember(pieces, inputs)
	}
	return c, nil
}

// each calls do with each piece, on all processors.
func each(pieces []*piece, do func(*piece)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	const batch = 16
	for range min(runtime.GOMAXPROCS(0), 1+len(pieces)/batch) {
		wg.Go(func() {
			for {
				end := int(next.Add(batch))
				if end-batch >= len(pieces) {
					return
				}
				for _, p := range pieces[end-batch : min(end, len(pieces))] {
					do(p)
				}
			}
		})
	}
	wg.Wait()
}

// recall cuts the sources into pieces and finds what is known of them. It
// returns the text of those that others depend on, too.
func (l *Loader) recall(sources []*source) (pieces []*piece, inputs string) {
	var in strings.Builder
	for _, s := range sources {
		s.cuts = cut(s.text)
		all := string(s.text)
		for _, c := range s.cuts {
			p := &piece{source: s, start: int(c.start), text: all[c.start:c.end]}
			p.kind = kindOf(p.text)
			pieces = append(pieces, p)
			if kinds[p.kind].input {
				in.WriteString(p.text)
			}
		}
	}
	inputs = in.String()
	same := inputs == l.inputs
	for _, p := range pieces {
		if was := l.known[p.text]; was != nil && (same || !was.usesEnv) {
			p.result = was
		}
	}
	return pieces, inputs
}

// remember keeps what pieces say for the next load, and nothing else.
func (l *Loader) remember(pieces []*piece, inputs string) {
	l.inputs = inputs
	l.known = make(map[string]*decoded, len(pieces))
	diskInputs := slices.ContainsFunc(pieces, func(p *piece) bool { return kinds[p.kind].input && p.result.usesDisk })
	for _, p := range pieces {
		if r := p.result; r.text != "" && r.value != nil && !r.usesDisk && !(r.usesEnv && diskInputs) {
			l.known[r.text] = r
		}
	}
}

// kindOf returns the word that a piece starts with if it is a block.
func kindOf(text string) string {
	end := 0
	for end < len(text) && isWord(text[end]) {
		end++
	}
	if strings.HasPrefix(strings.TrimLeft(text[end:], " \t"), "=") {
		return ""
	}
	return text[:end]
}

// read reads the piece, unless it is known.
func (p *piece) read() {
	if p.result != nil {
		return
	}
	// What is read points into the text; the rest of the file must not live as long.
	p.text = strings.Clone(p.text)
	if b, ok := readLiteral(p.text); ok && p.kind != "locals" && len(b.args)+len(b.blocks) == 1 {
		p.literal = &b
		return
	}
	file, diags := hclsyntax.ParseConfig([]byte(p.text), p.source.name, p.source.pos(p.start))
	p.diags = diags
	root := file.Body.(*hclsyntax.Body)
	if p.misfit = diags.HasErrors() || len(root.Attributes)+len(root.Blocks) != 1; p.misfit {
		return
	}
	for _, a := range root.Attributes {
		p.arg = a
	}
	for _, b := range root.Blocks {
		p.node = b
	}
}

// parseMisfits parses files as a whole that have a piece which is not one item
// when it is parsed alone: the cut was wrong, or the text is.
func parseMisfits(sources []*source, pieces []*piece) ([]*piece, hcl.Diagnostics) {
	misfit := map[*source]bool{}
	for _, p := range pieces {
		if p.misfit {
			misfit[p.source] = true
		}
	}
	if len(misfit) == 0 {
		return pieces, nil
	}
	var diags hcl.Diagnostics
	var all []*piece
	for _, s := range sources {
		if !misfit[s] {
			for _, p := range pieces {
				if p.source == s {
					all = append(all, p)
				}
			}
			continue
		}
		file, wrong := hclsyntax.ParseConfig(s.text, s.name, hcl.InitialPos)
		if wrong.HasErrors() {
			diags = append(diags, syntaxErrors(s, pieces, wrong)...)
			continue
		}
		root := file.Body.(*hclsyntax.Body)
		s.cuts = nil
		for _, a := range root.Attributes {
			all = append(all, &piece{source: s, arg: a})
		}
		for _, b := range root.Blocks {
			all = append(all, &piece{source: s, kind: b.Type, node: b})
		}
	}
	return all, diags
}

// syntaxErrors returns what to tell about a file that does not parse: the first
// error of each piece, since in the whole file a quote that is missing makes a
// mistake of all that comes after it.
func syntaxErrors(s *source, pieces []*piece, whole hcl.Diagnostics) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, p := range pieces {
		if p.source != s || !p.diags.HasErrors() {
			continue
		}
		within := func(d *hcl.Diagnostic) bool {
			return d.Subject != nil && d.Subject.Start.Byte >= p.start && d.Subject.Start.Byte <= p.start+len(p.text)
		}
		// Where the whole finds nothing wrong, the cut was.
		if slices.ContainsFunc(whole, within) {
			diags = append(diags, p.diags[0])
		}
	}
	if len(diags) == 0 {
		s.cuts = nil // problems must not name the piece that they are in
		return whole
	}
	return diags
}

// tree returns the piece as a body with one item.
func (p *piece) tree(ctx *hcl.EvalContext) body {
	if p.literal != nil {
		return *p.literal
	}
	e := evaluator{start: p.start}
	var b body
	switch {
	case p.node != nil && p.node.Type == "dynamic":
		e.fail(p.node.DefRange(), "dynamic blocks work within blocks, not at the top level", "")
	case p.node != nil:
		b.blocks = []block{e.block(ctx, p.node)}
	case p.arg != nil:
		b.args = []arg{{name: p.arg.Name, at: e.span(p.arg.NameRange), value: e.value(ctx, p.arg.Expr)}}
	}
	p.diags = append(p.diags, e.diags...)
	return b
}

// decode decodes the piece, unless it is known or has been needed before.
func (p *piece) decode(env *environment) {
	if p.result != nil {
		return
	}
	d := &decoder{env: env, usesEnv: p.literal == nil}
	result := &decoded{text: p.text}
	var b body
	if p.kind != "locals" { // whose expressions have had their say
		b = p.tree(env.ctx)
	}
	switch {
	case len(b.args) == 1:
		result.value = &b.args[0]
	case len(b.blocks) == 1:
		blk := &b.blocks[0]
		if k, ok := kinds[blk.kind]; !ok {
			d.failHint(blk.at, suggest(blk.kind, kindNames()), "unknown block %q", blk.kind)
		} else if k.decode != nil {
			result.value = k.decode(d, blk)
		}
	}
	result.problems, result.usesEnv, result.usesDisk = d.problems, d.usesEnv, d.usesDisk
	p.literal, p.node, p.arg = nil, nil, nil
	p.result = result
}

// hostName returns the name of this machine, for node.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "director"
	}
	return name
}

// socketIn returns the default place of the API's socket.
func socketIn(runtimeDir string) string { return filepath.Join(runtimeDir, "director.sock") }
