package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lvs-director/director/integration/vm"
)

// tag is the build tag of tests that need the kernel.
const tag = "integration"

// suite is one package's tests for the guest.
type suite struct {
	pkg    string
	dir    string // of the source: tests find their testdata there
	binary string
	run    string // the tests with the build tag, as a pattern for -test.run
	tests  []string
}

// build compiles the tests of those packages that have some with the build tag.
func build(ctx context.Context, dir string, packages []string, pattern string) ([]suite, error) {
	// As for go test, what follows a slash is about subtests.
	top, sub, _ := strings.Cut(pattern, "/")
	match, err := regexp.Compile(top)
	if err != nil {
		return nil, fmt.Errorf("read -run: %w", err)
	}
	suites, err := findSuites(ctx, packages, match)
	if err != nil {
		return nil, err
	}
	args := []string{"test", "-c", "-tags", tag, "-o", dir + "/"}
	for i := range suites {
		if sub != "" {
			suites[i].run += "/" + sub
		}
		suites[i].binary = filepath.Join(dir, filepath.Base(suites[i].pkg)+".test")
		args = append(args, suites[i].pkg)
	}
	if err := goTool(ctx, args...); err != nil {
		return nil, fmt.Errorf("build tests: %w", err)
	}
	return suites, nil
}

// director returns the director that the tests run: the one that is named in the
// environment, else a new one in dir.
func director(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv(vm.ProgramVariable); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "director")
	if err := goTool(ctx, "build", "-o", path, "github.com/lvs-director/director/cmd/director"); err != nil {
		return "", fmt.Errorf("build director: %w", err)
	}
	return path, nil
}

// goTool runs the go command without cgo, so that what it builds needs nothing of the machine.
func goTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// listed is what `go list -json` tells of a package, as far as it counts here.
type listed struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
}

func (l listed) files() []string { return slices.Concat(l.TestGoFiles, l.XTestGoFiles) }

// findSuites returns the packages with tests that only the build tag shows: all
// their other tests need no kernel and are run elsewhere, and faster.
func findSuites(ctx context.Context, packages []string, match *regexp.Regexp) ([]suite, error) {
	plain, err := list(ctx, packages)
	if err != nil {
		return nil, err
	}
	tagged, err := list(ctx, packages, "-tags", tag)
	if err != nil {
		return nil, err
	}
	without := map[string][]string{}
	for _, p := range plain {
		without[p.ImportPath] = p.files()
	}
	var suites []suite
	for _, p := range tagged {
		s := suite{pkg: p.ImportPath, dir: p.Dir}
		for _, name := range p.files() {
			if slices.Contains(without[p.ImportPath], name) {
				continue
			}
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			tests, err := testNames(name, source)
			if err != nil {
				return nil, err
			}
			for _, t := range tests {
				if match.MatchString(t) {
					s.tests = append(s.tests, t)
				}
			}
		}
		if len(s.tests) > 0 {
			s.run = "^(" + strings.Join(s.tests, "|") + ")$"
			suites = append(suites, s)
		}
	}
	if len(suites) == 0 {
		return nil, fmt.Errorf("find tests: no package has a test with build tag %s that matches", tag)
	}
	return suites, nil
}

// list asks the go command about packages.
func list(ctx context.Context, packages []string, flags ...string) ([]listed, error) {
	args := slices.Concat([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}, flags, packages)
	cmd := exec.CommandContext(ctx, "go", args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w\n%s", err, complaint.Bytes())
	}
	var all []listed
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		all = append(all, l)
	}
}

// testNames returns the names of the tests in a file, in their order.
func testNames(name string, source []byte) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	var names []string
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
			names = append(names, f.Name.Name)
		}
	}
	return names, nil
}
