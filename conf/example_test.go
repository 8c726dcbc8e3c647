package conf

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestExamples loads the configurations that are shown to operators.
func TestExamples(t *testing.T) {
	paths, _ := filepath.Glob("../docs/examples/*.hcl")
	if len(paths) == 0 {
		t.Fatal("no examples")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := Load(path); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if formatted, _ := Format(path, text); string(formatted) != string(text) {
				t.Errorf("%s is not as director fmt writes it", path)
			}
		})
	}
}

// TestExamplesInPages loads every ```hcl block of the pages; those that are
// not whole configurations are fenced without a language.
func TestExamplesInPages(t *testing.T) {
	pages, _ := filepath.Glob("../docs/*.md")
	fence := regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")
	found := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllSubmatch(text, -1) {
			found++
			t.Run(filepath.Base(page)+" "+strconv.Itoa(i+1), func(t *testing.T) {
				name := filepath.Join(t.TempDir(), "director.hcl")
				if err := os.WriteFile(name, m[1], 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := Load(name); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	if found == 0 {
		t.Error("no page has an example")
	}
}
