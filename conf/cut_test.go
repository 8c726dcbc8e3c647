package conf

import (
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
