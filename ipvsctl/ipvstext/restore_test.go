package ipvstext_test

import (
	"strings"
	"testing"

	"github.com/lvs-director/director/ipvsctl"
	"github.com/lvs-director/director/ipvsctl/ipvstext"
)

// Whatever the input: at most one operation a line, an error of bounded length,
// and what was taken reads back the same from its own text.
func FuzzRestore(f *testing.F) {
	f.Add("-A -t 192.0.2.1:80 -s wrr -p 300 -M 255.255.255.0\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1 -x 5 -y 4\n")
	f.Add("# a comment\n\n-A -f 7 -6 -s mh -b mh-port,mh-fallback\r\n-a -f 7 -6 -r [2001:db8::9]:0 -i -w 1 --tun-type gue --tun-port=6080 --tun-csum")
	f.Add("--start-daemon master --mcast-interface eth0 --syncid 5 --mcast-group 224.0.0.99\n--set 1 2 3\n-D -u 192.0.2.1:53\nnonsense\n")
	f.Fuzz(func(t *testing.T, text string) {
		ops, err := ipvstext.Restore(strings.NewReader(text))
		if most := strings.Count(text, "\n") + 1; len(ops) > most {
			t.Fatalf("%d operations in %d lines", len(ops), most)
		}
		if err != nil && len(err.Error()) > 1<<20 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		saved := lines(ops)
		again, err := ipvstext.Restore(strings.NewReader(saved))
		if err != nil {
			t.Fatalf("%q was read as\n%sand that: %v", text, saved, err)
		}
		if got := lines(again); got != saved {
			t.Fatalf("%q was read as\n%sand that as\n%s", text, saved, got)
		}
	})
}

func lines(ops []ipvsctl.Op) string {
	var b strings.Builder
	for _, op := range ops {
		b.WriteString(op.String() + "\n")
	}
	return b.String()
}
