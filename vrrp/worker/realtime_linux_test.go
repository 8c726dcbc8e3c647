package worker

import (
	"slices"
	"testing"
)

func TestPunctualEnv(t *testing.T) {
	for _, c := range []struct{ given, want []string }{
		{nil, []string{"GOMAXPROCS=2", "GODEBUG=asyncpreemptoff=1"}},
		{[]string{"A=1"}, []string{"A=1", "GOMAXPROCS=2", "GODEBUG=asyncpreemptoff=1"}},
		{[]string{"GODEBUG=madvdontneed=1", "A=1"}, []string{"A=1", "GOMAXPROCS=2", "GODEBUG=madvdontneed=1,asyncpreemptoff=1"}},
		{[]string{"GODEBUG=asyncpreemptoff=0,"}, []string{"GOMAXPROCS=2", "GODEBUG=asyncpreemptoff=0,asyncpreemptoff=1"}},
		{[]string{"GODEBUG=", "GOMAXPROCS=16"}, []string{"GOMAXPROCS=2", "GODEBUG=,asyncpreemptoff=1"}},
	} {
		given := slices.Clone(c.given)
		if got := punctualEnv(c.given); !slices.Equal(got, c.want) || !slices.Equal(c.given, given) {
			t.Errorf("of %q it makes %q, want %q", given, got, c.want)
		}
	}
}
