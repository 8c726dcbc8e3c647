package main

import (
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
	full := tableBegin + "\n\nNEW\n" + tableEnd
	tests := []struct{ name, text, want string }{
		{"new file", "", full + "\n"},
		{"appended", "# Title\n\nText.\n", "# Title\n\nText.\n\n" + full + "\n"},
		{"replaced", "a\n" + tableBegin + "\nOLD\n" + tableEnd + "\nb\n", "a\n" + full + "\nb\n"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, replaceTable(tt.text, "NEW")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTable(t *testing.T) {
	tab := table{trials: 3}
	for _, v := range []float64{1, 3, 2} {
		tab.add("time", "ms", "director", v)
		tab.add("time", "ms", "keepalived", 4*v)
	}
	want := "| what (min / median / max of 3) | director | keepalived | ratio of the medians |\n|---|---|---|---|\n" +
		"| time, ms | 1 / 2 / 3 | 4 / 8 / 12 | 0.25 |\n"
	if diff := cmp.Diff(want, tab.markdown()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	tab.lose("keepalived: it has ended")
	want += "\nTrials that gave no figure:\n\n- keepalived: it has ended\n"
	if diff := cmp.Diff(want, tab.markdown()); diff != "" {
		t.Errorf("table with a lost trial (-want +got):\n%s", diff)
	}
}
