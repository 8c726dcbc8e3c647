package main

import (
	"strings"
	"testing"
)

func TestConverse(t *testing.T) {
	tests := []struct{ typed, want string }{
		{"help\nquit\n", "traffic [N]"},
		{"\nexit\n", "demo> "},
		{"dance\nquit\n", "dance: no such command"},
		{"break 7\n", "want the number of a server"},
		{"traffic many\n", "want a number from 1"},
		{"status c\n", "c: no such director"},
	}
	for _, tt := range tests {
		var out strings.Builder
		s := &stage{out: &out}
		if err := s.converse(t.Context(), strings.NewReader(tt.typed)); err != nil {
			t.Errorf("%q: %v", tt.typed, err)
		}
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("%q prints %q, want %q in it", tt.typed, out.String(), tt.want)
		}
	}
}
