package conf

import (
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	words := []string{"weight", "forward", "checks", "address", "addresses"}
	for in, want := range map[string]string{
		"weigth": "weight", "forwrd": "forward", "check": "checks", "adress": "address", "adresses": "addresses", "wieght": "weight", "zzz": "", "": "", "x": "",
	} {
		got := suggest(in, words)
		if want != "" {
			want = "Did you mean " + quote(want) + "?"
		}
		if got != want {
			t.Errorf("suggest(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestProblemsMany makes sure that a slip in a generated file does not flood
// the terminal.
func TestProblemsMany(t *testing.T) {
	s := &source{name: "x.hcl", text: []byte("a\n")}
	p := &Problems{files: hclFiles([]*source{s})}
	for range 150 {
		p.list = append(p.list, s.diagnostic(0, problem{at: span{0, 1}, summary: "wrong"}))
	}
	var b strings.Builder
	if err := p.Write(&b, 80, false); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "Error: wrong"); n != maxRendered || !strings.HasSuffix(b.String(), "And 50 more problems.\n") {
		t.Errorf("%d problems written, and at the end %q", n, b.String()[b.Len()-40:])
	}
	if lines := strings.Split(p.Error(), "\n"); len(lines) != maxRendered+1 || lines[0] != "x.hcl:1: wrong" {
		t.Errorf("Error() has %d lines, the first is %q", len(lines), lines[0])
	}
}
