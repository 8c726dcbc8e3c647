package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		samples []float64
		want    float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}}
	for _, tt := range tests {
		if got := median(tt.samples); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.samples, got, tt.want)
		}
	}
}

func TestReplaceTable(t *testing.T) {
	full := tableBegin + "\n\nNEW\n\n" + tableEnd
	tests := []struct{ name, text, want string }{
		{"new file", "", full + "\n"},
		{"appended", "# Title\n\nText.\n", "# Title\n\nText.\n\n" + full + "\n"},
		{"replaced", "a\n" + tableBegin + "\nOLD\n" + tableEnd + "\nb\n", "a\n" + full + "\nb\n"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, replaceTable(tt.text, func(old string) string { return strings.Replace("NEW"+strings.TrimSpace(old), "OLD", "", 1) + "\n" })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTable(t *testing.T) {
	var tab table
	for _, v := range []float64{1, 3, 2} {
		tab.add("time", "ms", "director", v)
		tab.add("time", "ms", "keepalived", 4*v)
	}
	row := "| time, ms | 3 | 1 / 2 / 3 | 4 / 8 / 12 | 0.25 |\n"
	if diff := cmp.Diff(tableHead+row, tab.markdown("")); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	tab.lose("keepalived", "start", "it has ended")
	lost := lostHead + "- keepalived, start: it has ended\n"
	if diff := cmp.Diff(tableHead+row+lost, tab.markdown("")); diff != "" {
		t.Errorf("table with a lost trial (-want +got):\n%s", diff)
	}
	// What is not measured anew stays, in its place.
	first, last := "| memory, KiB | 5 | 1 / 1 / 1 | 2 / 2 / 2 | 0.50 |\n", "| reload, ms | 5 | - | - | - |\n"
	old := "\n\n" + tableHead + first + "| time, ms | 5 | 9 / 9 / 9 | 9 / 9 / 9 | 1.00 |\n" + last + lostHead + "- director, time: late\n- keepalived, reload: hangs\n\n"
	want := tableHead + first + row + last + lostHead + "- keepalived, reload: hangs\n- keepalived, start: it has ended\n"
	if diff := cmp.Diff(want, tab.markdown(old)); diff != "" {
		t.Errorf("table over an old one (-want +got):\n%s", diff)
	}
}
