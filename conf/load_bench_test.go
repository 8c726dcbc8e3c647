package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// manyServers returns a generated configuration of n virtual servers with m
// real servers each and a check. weight is of all real servers of the first.
func manyServers(n, m, weight int) string {
	var b strings.Builder
	b.WriteString("node        = \"a\"\nruntime_dir = \"/run/a\"\nstate_dir   = \"/run/a/state\"\n")
	for v := range n {
		addr := fmt.Sprintf("10.1.%d.%d:80", v/250, v%250+1)
		fmt.Fprintf(&b, "virtual_server %q {\n  address    = %q\n  protocol   = \"tcp\"\n  scheduler  = \"wlc\"\n  forward    = \"nat\"\n  on_failure = \"remove\"\n", addr, addr)
		b.WriteString("  check \"tcp\" {\n    interval      = \"20s\"\n    fast_interval = \"1s\"\n    timeout       = \"3s\"\n    rise          = 1\n    fall          = 1\n  }\n")
		for r := range m {
			w := 1
			if v == 0 {
				w = weight
			}
			fmt.Fprintf(&b, "  real_server \"10.2%d.%d.%d:80\" { weight = %d }\n", v/250, v%250+1, r+1, w)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// BenchmarkLoad is the first load of 1,000 virtual servers with 10 real servers each.
func BenchmarkLoad(b *testing.B) {
	name := filepath.Join(b.TempDir(), "director.hcl")
	if err := os.WriteFile(name, []byte(manyServers(1000, 10, 1)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(name); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReload is a further load of the same, in which one virtual server changed.
func BenchmarkReload(b *testing.B) {
	name := filepath.Join(b.TempDir(), "director.hcl")
	texts := [2][]byte{[]byte(manyServers(1000, 10, 1)), []byte(manyServers(1000, 10, 2))}
	l := NewLoader(name)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := os.WriteFile(name, texts[i%2], 0o600); err != nil {
			b.Fatal(err)
		}
		if _, err := l.Load(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseHCL is what HCL's own parser takes for the text alone, without
// decoding, to compare with.
func BenchmarkParseHCL(b *testing.B) {
	text := []byte(manyServers(1000, 10, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, diags := hclsyntax.ParseConfig(text, "director.hcl", hcl.InitialPos); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
