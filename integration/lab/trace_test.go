package lab

import (
	"testing"
	"time"
)

func TestParseTraced(t *testing.T) {
	tests := []struct {
		line string
		at   time.Duration
		name string
		ok   bool
	}{
		{"     director-97      [001] .....    12.345678: add_dest: (ip_vs_add_dest+0x0/0x3c0 [ip_vs])\n", 12345678 * time.Microsecond, "add_dest", true},
		{" a b: c-9 [000] d..1. 1.000001: flush: (ip_vs_flush+0x0/0x10)", 1000001 * time.Microsecond, "flush", true},
		{"# tracer: nop\n", 0, "", false},
		{"\n", 0, "", false},
	}
	for _, tt := range tests {
		at, name, ok := parseTraced(tt.line)
		if (at-tt.at).Abs() > time.Microsecond || name != tt.name || ok != tt.ok {
			t.Errorf("%q is %v %q %v, want %v %q %v", tt.line, at, name, ok, tt.at, tt.name, tt.ok)
		}
	}
}
