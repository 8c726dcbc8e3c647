package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

// A report that is sent again, since nobody knows whether it arrived, brings
// only what is new.
func TestRepeatedTransitionsAreToldOnce(t *testing.T) {
	numbered := func(first uint64, names ...string) *frame {
		return &frame{Report: &report{Report: transitions(names...), First: first}}
	}
	tests := []struct {
		name string
		in   []*frame
		want [][]string // per report
		ack  uint64
	}{
		{"new", []*frame{numbered(1, "a", "b"), numbered(3, "c")}, [][]string{{"a", "b"}, {"c"}}, 3},
		{"again", []*frame{numbered(1, "a", "b"), numbered(1, "a", "b")}, [][]string{{"a", "b"}, nil}, 2},
		{"again and more", []*frame{numbered(1, "a", "b"), numbered(1, "a", "b", "c")}, [][]string{{"a", "b"}, {"c"}}, 3},
		{"status alone", []*frame{numbered(1, "a"), numbered(0)}, [][]string{{"a"}, nil}, 1},
		{"some were dropped", []*frame{numbered(1, "a"), numbered(5, "e")}, [][]string{{"a"}, {"e"}}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := session{Client: &Client{post: make(chan vrrp.Report, len(tt.in))}}
			var got [][]string
			for _, f := range tt.in {
				if err := s.take(f); err != nil {
					t.Fatal(err)
				}
				got = append(got, groups(report{Report: <-s.post}))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || s.todo.ack != tt.ack {
				t.Errorf("acknowledged %d, want %d (-want +got):\n%s", s.todo.ack, tt.ack, diff)
			}
		})
	}
}
