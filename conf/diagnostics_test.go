package conf

import (
	"strings"
	"testing"
	"unicode/utf8"
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

// TestProblemsAreBounded makes sure that a file that is no configuration neither
// floods a terminal nor speaks to it.
func TestProblemsAreBounded(t *testing.T) {
	text := "x = \"\x1b[2J\u009b1m\xff\a\tä" + strings.Repeat("ä", 1_000_000) + "\"\nnext\n"
	for _, colour := range []bool{false, true} {
		s := &source{name: "x.hcl", text: []byte(text)}
		p := &Problems{files: hclFiles([]*source{s})}
		p.list = append(p.list, s.diagnostic(0, problem{at: span{4, int32(len(text) - 6)}, summary: "wrong " + strings.Repeat("ß", 1000), detail: text}))
		var b strings.Builder
		if err := p.Write(&b, 0, colour); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		if len(got) > 5*maxLine || !utf8.ValidString(got) {
			t.Errorf("colour %t: %d bytes: %.200q", colour, len(got), got)
		}
		if colour {
			got = strings.NewReplacer("\x1b[31m", "", "\x1b[1;4m", "", "\x1b[0m", "").Replace(got)
		}
		source, _, _ := strings.Cut(got[strings.Index(got, "   1: "):], "\n")
		if want := "   1: x = \"?[2J??1m??\tää"; !strings.HasPrefix(source, want) || !strings.HasSuffix(source, "ä…") {
			t.Errorf("colour %t: source is shown as %q", colour, source)
		}
		if n := len(p.Error()); n > 3*maxLine {
			t.Errorf("Error() has %d bytes", n)
		}
	}
}
