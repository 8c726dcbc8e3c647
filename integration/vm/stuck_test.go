package vm

import "testing"

func TestLockup(t *testing.T) {
	for line, want := range map[string]bool{
		"[  389.005294] watchdog: BUG: soft lockup - CPU#1 stuck for 339s! [bench:688]": true,
		"[  100.005294] watchdog: BUG: soft lockup - CPU#0 stuck for 75s! [init:1]":     true,
		"[   40.005294] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [bench:688]":  false,
		"[   40.005294] rcu: INFO: rcu_preempt self-detected stall on CPU":              false,
	} {
		if got := lockup.MatchString(line); got != want {
			t.Errorf("%q is a standstill: %v, want %v", line, got, want)
		}
	}
}
