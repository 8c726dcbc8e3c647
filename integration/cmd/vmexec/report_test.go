package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/integration/vm"
)

// printed are what test programs print with -test.v=test2json, which marks the
// lines of the framework with a control character.
const (
	passing = "\x16=== RUN   TestA\nsaid by A\n\x16--- PASS: TestA (0.10s)\n\x16PASS\n"
	failing = "\x16=== RUN   TestA\n    a_test.go:3: broken\n\x16--- FAIL: TestA (0.10s)\n\x16=== RUN   TestB\n\x16--- PASS: TestB (0.00s)\n\x16FAIL\n"
	skipped = "\x16=== RUN   TestA\n\x16=== RUN   TestA/sub\n    a_test.go:3: no kernel\n\x16--- SKIP: TestA/sub (0.00s)\n\x16--- PASS: TestA (0.00s)\n\x16PASS\n"
	dying   = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\n\x16=== RUN   TestB\npanic: oh no\n"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name   string
		tests  []string
		output string
		exit   vm.Exit
		passed int
		failed []string
		shown  []string // in the report
		hidden []string // not in it
	}{
		{"passing is short", []string{"TestA"}, passing, vm.Exit{}, 1, nil, []string{"pass TestA"}, []string{"said by A"}},
		{"failing tells why", []string{"TestA", "TestB"}, failing, vm.Exit{Status: 1}, 1, []string{"p TestA"}, []string{"a_test.go:3: broken", "pass TestB"}, nil},
		{"a skip is a failure", []string{"TestA"}, skipped, vm.Exit{}, 1, []string{"p TestA/sub: skipped, which counts as failed here"}, nil, nil},
		{"a panic fails what runs", []string{"TestA", "TestB"}, dying, vm.Exit{Status: 2}, 1, []string{"p TestB: did not finish: exit status 2"}, []string{"panic: oh no"}, nil},
		{"a test that never ran", []string{"TestA", "TestC"}, passing, vm.Exit{}, 1, []string{"p TestC: did not finish: <nil>"}, nil, nil},
		{"a bad end after good tests", []string{"TestA"}, passing, vm.Exit{Status: 66}, 1, []string{"p exit status 66"}, nil, nil},
		{"what is left running", []string{"TestA"}, passing, vm.Exit{Left: []string{"7 sh", "9 nginx"}}, 1, []string{"p left running: 7 sh, 9 nginx"}, nil, nil},
		{"no program", []string{"TestA"}, "", vm.Exit{Status: 127, Error: "no such file"}, 0, []string{"p TestA: did not finish: no such file"}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out, false)
			w := r.watch(t.Context(), suite{pkg: "p", tests: tt.tests})
			w.Write([]byte(tt.output))
			w.end(tt.exit)
			if r.passed != tt.passed {
				t.Errorf("%d passed, want %d", r.passed, tt.passed)
			}
			if diff := cmp.Diff(tt.failed, r.failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if status := r.finish(); (status != 0) != (len(tt.failed) > 0) {
				t.Errorf("status %d with %d failures", status, len(tt.failed))
			}
			for _, text := range tt.shown {
				if !strings.Contains(out.String(), text) {
					t.Errorf("no %q in:\n%s", text, out.String())
				}
			}
			for _, text := range tt.hidden {
				if strings.Contains(out.String(), text) {
					t.Errorf("%q in:\n%s", text, out.String())
				}
			}
		})
	}
}

func TestTestNames(t *testing.T) {
	source := "package p\nfunc TestMain(m *testing.M) {}\nfunc TestB(t *testing.T) {}\nfunc (x) TestC() {}\nfunc helper() {}\nfunc TestA(t *testing.T) {}\n"
	got, err := testNames("p_test.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"TestB", "TestA"}, got); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	if _, err := testNames("p_test.go", []byte("package")); err == nil {
		t.Error("a broken file has tests")
	}
}
