package vrrp

import "testing"

func TestCause(t *testing.T) {
	for _, test := range []struct {
		cause *cause
		want  string
	}{
		{nil, ""},
		{because("stopped"), "stopped"},
		{because("script exit 1, 100% of %s"), "script exit 1, 100% of %s"},
		{because("%s, and passed", because("peer %d left", 7)), "peer 7 left, and passed"},
	} {
		for range 2 { // what is kept is the same
			if got := test.cause.String(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		}
	}
}
