package conf

import (
	"testing"
	"time"
)

func TestDurationText(t *testing.T) {
	for in, want := range map[string]string{
		"0s": "0s", "500ms": "500ms", "90s": "1m30s", "60s": "1m", "3600s": "1h", "3660s": "1h1m", "36000s": "10h", "600s": "10m", "40.95s": "40.95s", "-60s": "-1m",
	} {
		d, err := time.ParseDuration(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := durationText(d); got != want {
			t.Errorf("durationText(%s) = %q, want %q", in, got, want)
		}
	}
}
