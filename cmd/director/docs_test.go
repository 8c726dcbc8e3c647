package main

import (
	"os"
	"strings"
	"testing"

	"github.com/lvs-director/director/internal/engine"
)

// The pages tell of every kind of event, every command and every metric.
func TestDocsAreComplete(t *testing.T) {
	t.Parallel()
	operating := readFile(t, "../../docs/operating.md")
	for _, kind := range append(engine.Kinds(), "gap") {
		if !strings.Contains(operating, "\n| `"+string(kind)+"` |") {
			t.Errorf("operating.md does not tell of events of kind %s", kind)
		}
	}
	pages := operating
	for _, name := range []string{"failover", "checks", "metrics", "configuration", "ipvs", "realserver"} {
		pages += readFile(t, "../../docs/"+name+".md")
	}
	pages += readFile(t, "../../README.md")
	for _, command := range newRootCommand().Commands() {
		switch name := command.Name(); {
		case command.Hidden, name == "help", name == "completion":
		case !strings.Contains(pages, "director "+name):
			t.Errorf("no page shows director %s", name)
		}
	}
	metrics := readFile(t, "../../docs/metrics.md")
	sample, err := os.ReadFile("../../internal/api/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sample)) {
		name, ok := strings.CutPrefix(line, "# TYPE ")
		name, _, _ = strings.Cut(name, " ")
		short := "`…_" + name[strings.LastIndexByte(name, '_')+1:]
		if ok && !strings.Contains(metrics, "`"+name) && !strings.Contains(metrics, short) {
			t.Errorf("metrics.md does not tell of %s", name)
		}
	}
}
