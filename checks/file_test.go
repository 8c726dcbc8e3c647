package checks

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFileNumber reads what a file holds as a number, however it is written.
func TestFileNumber(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "load")
	const wants = "wanted a whole number from -2147483648 to 2147483647, has "
	tests := []struct {
		content string
		want    int
		reason  string
	}{
		{"7\n", 7, ""},
		{" -12 ", -12, ""},
		{"+3", 3, ""},
		{"", 0, ""},
		{"\n", 0, ""},
		{"2147483647", 2147483647, ""},
		{"2147483648", 0, wants + `"2147483648"`},
		{"0x10", 0, wants + `"0x10"`},
		{"7 of 9", 0, wants + `"7 of 9"`},
		{"1.5", 0, wants + `"1.5"`},
	}
	check := func(name string, want int, reason string) {
		t.Helper()
		seen := runBothWays(t, File{Path: path, Number: true}, 20*time.Second)
		switch {
		case reason != "":
			if seen.OK || seen.Weight != nil || seen.Reason != "file "+path+": "+reason {
				t.Errorf("%s: saw %+v, want %q", name, seen, reason)
			}
		case !seen.OK || seen.Weight == nil || *seen.Weight != want:
			t.Errorf("%s: saw %+v, want %d", name, seen, want)
		}
	}
	check("no file", 0, "")
	for _, tt := range tests {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		check(tt.content, tt.want, tt.reason)
	}
}

// FuzzParseHeld: whatever a file holds is a number or a reason, never both.
func FuzzParseHeld(f *testing.F) {
	for _, s := range []string{"", "7\n", "-2147483648", "99999999999", "\x00", "1 2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		seen := parseHeld("/run/load", content)
		if seen.OK != (seen.Reason == "") || seen.OK != (seen.Weight != nil) {
			t.Errorf("%q: saw %+v", content, seen)
		}
	})
}
