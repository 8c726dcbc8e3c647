package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWaysOfOneAddress wants as many real servers of one address as there are
// source ports for, and no more.
func TestWaysOfOneAddress(t *testing.T) {
	for _, servers := range []int{WaySlots, WaySlots + 1} {
		var b strings.Builder
		b.WriteString("virtual_server \"a\" {\n  address = \"192.0.2.10:80\"\n  check \"tcp\" {\n    through = \"forwarding\"\n  }\n")
		for i := range servers {
			fmt.Fprintf(&b, "  real_server \"10.0.%d.%d:80\" {}\n", i/200, i%200+1)
		}
		b.WriteString("}\n")
		file := filepath.Join(t.TempDir(), "director.hcl")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		if servers <= WaySlots && err != nil {
			t.Errorf("%d real servers: %v", servers, err)
		}
		if servers > WaySlots && (err == nil || !strings.Contains(err.Error(), "on more than 441 ways")) {
			t.Errorf("%d real servers: %v", servers, err)
		}
	}
}
