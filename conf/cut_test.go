package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCut(t *testing.T) {
	const text = "# comment\na = 1 # x\n\nb \"}\" {\n  # }\n  c = \"}\"\n  d = <<X\n}}}\nX\n}\n/* e = {\n */ f = [\n1]\ng {}"
	var got []string
	for _, c := range cut([]byte(text)) {
		got = append(got, text[c.start:c.end])
	}
	want := []string{"a = 1 # x\n", "b \"}\" {\n  # }\n  c = \"}\"\n  d = <<X\n}}}\nX\n}\n", "f = [\n1]\n", "g {}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTooDeep makes sure that no file can overflow the stack of a running daemon.
func TestTooDeep(t *testing.T) {
	const n = 3_000_000
	for _, text := range []string{
		"a = " + strings.Repeat("[", n), strings.Repeat("a {\n", n), "a = " + strings.Repeat("!", n), "a = " + strings.Repeat("-", n) + "1\n",
		"a = \"" + strings.Repeat("${\"", n), "a = " + strings.Repeat("true ? ", n),
		"a = (" + strings.Repeat("-\n", maxDepth) + "1)\n",
		"a = (" + strings.Repeat("true ?\r\n true :\r\n", maxDepth) + "1)\n",
	} {
		name := filepath.Join(t.TempDir(), "director.hcl")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "nested deeper than 10000 levels") {
			t.Errorf("Load(%.20s...) = %v", text, err)
		}
		if _, err := Format(name, []byte(text)); err == nil {
			t.Errorf("Format(%.20s...): no error", text)
		}
	}
	// What is just within the limit can be parsed.
	name := filepath.Join(t.TempDir(), "director.hcl")
	for _, text := range []string{"a = " + strings.Repeat("[", maxDepth-1) + "\n", strings.Repeat("a {\n", maxDepth-1), "a = " + strings.Repeat("!", maxDepth-1) + "true\n",
		"a {\n" + strings.Repeat("  b = c ? -1 : 0\n", 2*maxDepth) + "}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(name); err == nil {
			t.Errorf("Load(%.20s...): no error", text)
		}
	}
}
