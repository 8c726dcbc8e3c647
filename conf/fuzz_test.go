package conf

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// seeds are snippets on which the cut or readLiteral may go astray.
var seeds = []string{
	"", "\n", "a", "a = 1", "a = 1 # x\n", "a = -1\nb = [1, -2,\n\"x\" // y\n]\n", "a = 007\n", "a = 1.5\n", "a = 1e3\n", "a = - 1\n",
	"a {}\n", "a \"b\" c {\n}\n", "a { b = 1 }\n", "a { b = 1 # x }\n}\n", "a { # x\n b = 1\n}\n", "a {\n b = 1 }\n", "a { b {} }\n",
	"a = \"}\"\n", "a = \"${\"}\"}\"\nb = 1\n", "a = \"${\"{\"}\"\nb = 1\nc {}\n", "a = \"${\"{\"}\"\nb = 1\nc = \"${\"}\"}\"\n", "a = \"$${x}\"\n", "a = \"\\\"{\"\nb {}\n", "a = <<X\n}\nX\nb {}\n", "a = <<-X\n  {\n  X\n",
	"/* { */ a = 1 /* } */\nb = 2 // {\n", "# {\na = 1\n", "a = 1 b = 2\n", "a {} b {}\n", "a = [1\n2]\n", "a = [,]\n", "a = [1,,2]\n", "a = true\nb = truex\n",
	"a = 1\r\nb = 2\r\n", "a = \"\t\"\n", "a = \"\u00e9\"\n", "\ufeffa = 1\n", "a = {\n x = 1\n}\n", "a = 1\na = 2\n", "a = f(\n1)\n", "a = null\n", "a =\n1\n", "a\n{}\n", "a \"x\"\n{}\n",
	"a = 1 / 2\n", "a = 1 /* x\n */ + 2\n", "a = 1 <\n2\n", "a = x ? 1 : 2\n", "}\n", "a = )\n", "a = \"x\ny\"\n", "a=[]\n", "a={}\n", "_a = 1\n", "a-b = 1\n", "a \"\" {}\n", "a = \"%{ if true }x%{ endif }\"\n",
	"dynamic \"x\" { for_each = [] }\n", "a = 1#", "a = 1//", "a = [ # x\n]\n", "a { b = [\n1\n] }\n", "a = 1234567890123456\n", "a = -0\n", "/*", "/* *", "a /* x */ = 1\n", "a = \"a%b\"\n", "a = \"a$b\"\n",
}

func addSeeds(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	for _, pattern := range []string{"testdata/*/*.hcl", "testdata/good/*/*.hcl", "../docs/examples/*.hcl"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
}

// FuzzLiteral holds readLiteral against HCL's parser: what it reads, HCL reads
// alike, to the last position.
func FuzzLiteral(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := readLiteral(text)
		if !ok {
			return
		}
		file, diags := hclsyntax.ParseConfig([]byte(text), "x", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("readLiteral reads what HCL does not: %v", diags)
		}
		e := evaluator{}
		want := e.body(&hcl.EvalContext{}, file.Body.(*hclsyntax.Body))
		if diff := cmp.Diff(want, got, treeOptions); diff != "" {
			t.Errorf("HCL and readLiteral (-want +got):\n%s", diff)
		}
	})
}

// FuzzCut holds reading piece by piece against parsing the whole.
func FuzzCut(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		file, diags := hclsyntax.ParseConfig([]byte(text), "x", hcl.InitialPos)
		s := &source{name: "x", text: []byte(text)}
		pieces, _ := NewLoader("").recall([]*source{s})
		for _, p := range pieces {
			p.read()
		}
		pieces, wrong := parseMisfits([]*source{s}, pieces)
		if diags.HasErrors() {
			problems := &Problems{files: hclFiles([]*source{s}), list: wrong}
			env := decodeEnvironment(pieces, problems)
			for _, p := range pieces {
				p.decode(env)
			}
			if assemble(pieces, problems); len(problems.list) == 0 {
				t.Fatalf("accepted piece by piece, but HCL says: %v", diags)
			}
			return
		}
		if wrong.HasErrors() {
			t.Fatalf("HCL accepts it, but piece by piece: %v", wrong)
		}
		ctx := &hcl.EvalContext{Functions: functions()}
		root := file.Body.(*hclsyntax.Body)
		root.Blocks = slices.DeleteFunc(root.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "dynamic" }) // refused at the top level
		e := evaluator{}
		want := e.body(ctx, root)
		var got body
		for _, p := range pieces {
			b := p.tree(ctx)
			for _, a := range b.args {
				got.args = append(got.args, a.shift(p.start))
			}
			for _, blk := range b.blocks {
				got.blocks = append(got.blocks, blk.shift(p.start))
			}
		}
		slices.SortFunc(got.args, func(x, y arg) int { return int(x.at.start) - int(y.at.start) })
		if diff := cmp.Diff(want, got, treeOptions); diff != "" {
			t.Errorf("whole and piece by piece (-want +got):\n%s", diff)
		}
	})
}

// FuzzLoad loads anything without a panic, the second time with the same outcome.
func FuzzLoad(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		name := filepath.Join(t.TempDir(), "director.hcl")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if formatted, err := Format(name, []byte(text)); err == nil {
			if _, err := Format(name, formatted); err != nil {
				t.Errorf("Format makes what cannot be parsed: %v", err)
			}
		}
		l := NewLoader(name)
		first, err := l.Load()
		if p, ok := err.(*Problems); err != nil && (!ok || p.Len() == 0 || p.Error() == "") {
			t.Fatalf("Load: %v, which is no *Problems", err)
		}
		second, again := l.Load()
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("Load: %v, then %v", err, again)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(string(dump(first)), string(dump(second))); diff != "" {
			t.Errorf("first and second (-first +second):\n%s", diff)
		}
	})
}

var treeOptions = cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(body{}, arg{}, block{}, label{}, value{}, span{})}

func (s span) shift(n int) span { return span{s.start + int32(n), s.end + int32(n)} }

func (a arg) shift(n int) arg {
	a.at, a.value = a.at.shift(n), a.value.shift(n)
	return a
}

func (v value) shift(n int) value {
	v.at = v.at.shift(n)
	for i := range v.list {
		v.list[i] = v.list[i].shift(n)
	}
	return v
}

func (b block) shift(n int) block {
	b.at = b.at.shift(n)
	for i := range b.labels {
		b.labels[i].at = b.labels[i].at.shift(n)
	}
	for i := range b.body.args {
		b.body.args[i] = b.body.args[i].shift(n)
	}
	for i := range b.body.blocks {
		b.body.blocks[i] = b.body.blocks[i].shift(n)
	}
	return b
}
