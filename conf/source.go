package conf

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// source is one file of configuration.
type source struct {
	name string // as problems name it
	text []byte
	cuts []span // its top-level items
}

// readSources reads the file called path, or all *.hcl files in the directory
// called path in the order of their names.
func readSources(path string) ([]*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = filesIn(path); err != nil {
			return nil, err
		}
	}
	var sources []*source
	for _, name := range names {
		text, err := ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		sources = append(sources, &source{name: name, text: text})
	}
	return sources, nil
}

// filesIn returns the names of the *.hcl files in dir, sorted. Hidden ones are
// left out: editors keep their half-written copies there.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".hcl" && e.Name()[0] != '.' && !e.IsDir() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read configuration: no *.hcl file in %s", dir)
	}
	return names, nil
}

// shallow makes sure that the file can be parsed without a stack overflow.
func (s *source) shallow() *hcl.Diagnostic {
	at := tooDeep(s.text)
	if at < 0 {
		return nil
	}
	return s.diagnostic(at, problem{at: span{0, 1}, summary: fmt.Sprintf("nested deeper than %d levels", maxDepth)})
}

// hclFiles returns the sources as HCL's diagnostics writer wants them.
func hclFiles(sources []*source) map[string]*hcl.File {
	files := make(map[string]*hcl.File, len(sources))
	for _, s := range sources {
		files[s.name] = &hcl.File{Bytes: s.text, Nav: s}
	}
	return files
}
