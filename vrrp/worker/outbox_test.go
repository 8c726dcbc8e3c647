package worker

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/vrrp"
)

func groups(r report) []string {
	var names []string
	for _, tr := range r.Transitions {
		names = append(names, tr.Group)
	}
	return names
}

func transitions(names ...string) vrrp.Report {
	var r vrrp.Report
	for _, n := range names {
		r.Transitions = append(r.Transitions, vrrp.Transition{Group: n})
	}
	return r
}

func TestOutboxKeepsTransitionsUntilTheyArrived(t *testing.T) {
	var o outbox
	if r := o.after(1); r.First != 0 || r.Transitions != nil {
		t.Errorf("empty: %+v", r)
	}
	o.add(transitions("a", "b"))
	o.add(transitions("c"))
	tests := []struct {
		from  uint64
		first uint64
		want  []string
	}{
		{0, 1, []string{"a", "b", "c"}},
		{1, 1, []string{"a", "b", "c"}},
		{3, 3, []string{"c"}},
		{4, 0, nil},
		{99, 0, nil},
	}
	for _, tt := range tests {
		r := o.after(tt.from)
		if diff := cmp.Diff(tt.want, groups(r)); diff != "" || r.First != tt.first {
			t.Errorf("after(%d): first %d (-want +got):\n%s", tt.from, r.First, diff)
		}
	}
	o.forget(2)
	o.forget(1) // an acknowledgement that comes late
	if r := o.after(0); r.First != 3 || len(r.Transitions) != 1 {
		t.Errorf("after two have arrived: %+v, want the third", r)
	}
	o.forget(99)
	o.add(transitions("d"))
	if r := o.after(0); r.First != 4 || groups(r)[0] != "d" {
		t.Errorf("after all have arrived: %+v, want the fourth", r)
	}
}

func TestOutboxIsBounded(t *testing.T) {
	var o outbox
	const n = maxTransitions + 10
	for i := range n {
		o.add(transitions(strconv.Itoa(i)))
	}
	r := o.after(1)
	if len(r.Transitions) != maxTransitions || r.First != 11 || r.Transitions[0].Group != "10" {
		t.Errorf("%d transitions from number %d (%s), want %d from 11", len(r.Transitions), r.First, r.Transitions[0].Group, maxTransitions)
	}
	if diff := cmp.Diff([]string{"10 transitions were dropped, since nobody read them"}, r.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	o.told()
	if r := o.after(n + 1); r.Problems != nil {
		t.Errorf("told twice: %q", r.Problems)
	}
}

func TestOutboxTellsEachProblem(t *testing.T) {
	var o outbox
	o.add(vrrp.Report{Problems: []string{"a"}})
	o.add(vrrp.Report{Problems: []string{"b", "a"}})
	if diff := cmp.Diff([]string{"a", "b"}, o.after(0).Problems); diff != "" {
		t.Errorf("before they were taken (-want +got):\n%s", diff)
	}
	o.told()
	o.add(vrrp.Report{Problems: []string{"b"}})
	if diff := cmp.Diff([]string{"b"}, o.after(0).Problems); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
	o.told()
	o.add(vrrp.Report{})
	if r := o.after(0); r.Problems != nil {
		t.Errorf("problems %q, want none any more", r.Problems)
	}
}

// TestOutboxTellsDifferences: a reader is told what has changed since the last
// report that it took, and a new one of all groups there are.
func TestOutboxTellsDifferences(t *testing.T) {
	var o outbox
	has := func(what string, whole bool, want ...string) {
		t.Helper()
		r := o.after(0)
		var got []string
		for _, s := range r.Status {
			got = append(got, s.Group+" "+s.Reason)
		}
		if diff := cmp.Diff(want, got); diff != "" || r.Whole != whole {
			t.Errorf("%s: whole %v (-want +got):\n%s", what, r.Whole, diff)
		}
	}
	say := func(whole bool, groups ...string) {
		r := vrrp.Report{Connected: true, Whole: whole}
		for _, g := range groups {
			name, reason, _ := strings.Cut(g, " ")
			r.Status = append(r.Status, vrrp.Status{Group: name, Reason: reason})
		}
		o.add(r)
	}
	say(true, "a 1", "b 1", "c 1")
	say(false, "b 2")
	has("a change before the first was taken", true, "a 1", "b 2", "c 1")
	o.told()
	has("nothing since", false)
	say(false, "c 2")
	say(false, "a 2")
	has("two changes", false, "a 2", "c 2")
	o.told()
	say(false)
	has("no change", false)
	o.anew()
	has("a new reader", true, "a 2", "b 2", "c 2")
	o.told()
	say(true, "a 3", "d 1")
	say(false, "d 2")
	has("groups that come and go", true, "a 3", "d 2")
	o.told()
	o.add(vrrp.Report{Problems: []string{"lost"}})
	say(true)
	has("none is left", true)
}
