package vm

import "testing"

func TestParseStat(t *testing.T) {
	for _, test := range []struct {
		line string
		want process
		left bool
	}{
		{"1 (init) S 0 1 1 0 -1 4194560", process{1, 0, "init", 'S'}, false},
		{"2 (kthreadd) S 0 0 0 0 -1 2129984", process{2, 0, "kthreadd", 'S'}, false},
		{"17 (kworker/0:1-events) I 2 0 0 0 -1 69238880", process{17, 2, "kworker/0:1-events", 'I'}, false},
		{"301 (a) b (c) R 1 301 301 0 -1 4194560", process{301, 1, "a) b (c", 'R'}, true},
		{"302 (keepalived) Z 1 302 302 0 -1 4194560", process{302, 1, "keepalived", 'Z'}, false},
	} {
		got, err := parseStat([]byte(test.line))
		if err != nil || got != test.want {
			t.Errorf("parse %q: %+v, %v, want %+v", test.line, got, err, test.want)
		}
		if got.left() != test.left {
			t.Errorf("%q counts as left: %v", test.line, got.left())
		}
	}
	for _, line := range []string{"", "1", "1 (x", "x (y) S 1", "1 (x)", "1 (x) S", "1 (x) SS 1", "1 (x) S y"} {
		if p, err := parseStat([]byte(line)); err == nil {
			t.Errorf("parse %q: %+v, want an error", line, p)
		}
	}
}
