package marks

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/ipvsctl"
)

func tcp(addr string) Target { return Target{ipvsctl.TCP, netip.MustParseAddrPort(addr)} }

func TestDiff(t *testing.T) {
	have := Table{tcp("192.0.2.1:80"): 7, tcp("192.0.2.2:80"): 7, tcp("192.0.2.3:80"): 7}
	want := Table{tcp("192.0.2.1:80"): 7, tcp("192.0.2.3:80"): 8, {ipvsctl.UDP, netip.MustParseAddrPort("192.0.2.1:80")}: 7, tcp("[2001:db8::1]:443"): 9}
	var got []string
	for _, c := range Diff(have, want) {
		got = append(got, c.String())
	}
	expected := []string{
		"mark udp 192.0.2.1:80 with 7",
		"mark tcp 192.0.2.2:80 no more with 7",
		"mark tcp 192.0.2.3:80 with 8 instead of 7",
		"mark tcp [2001:db8::1]:443 with 9",
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if again := Diff(want, want); len(again) != 0 {
		t.Errorf("a table differs from itself: %v", again)
	}
}

func TestWith(t *testing.T) {
	have := Table{tcp("192.0.2.1:80"): 7, tcp("192.0.2.2:80"): 7}
	got := have.With(Table{tcp("192.0.2.2:80"): 8, tcp("192.0.2.3:80"): 8})
	want := Table{tcp("192.0.2.1:80"): 7, tcp("192.0.2.2:80"): 7, tcp("192.0.2.3:80"): 8}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("both (-want +got):\n%s", diff)
	}
	if len(have) != 2 {
		t.Errorf("the table itself was changed: %v", have)
	}
}

func TestKey(t *testing.T) {
	for _, target := range []Target{
		tcp("192.0.2.1:80"), {ipvsctl.UDP, netip.MustParseAddrPort("[2001:db8::1]:53")}, {ipvsctl.SCTP, netip.MustParseAddrPort("192.0.2.1:65535")},
	} {
		got, err := parseKey(target.key())
		if err != nil || got != target {
			t.Errorf("%s comes back as %s, %v", target, got, err)
		}
	}
	want := []byte{192, 0, 2, 1, 6, 0, 0, 0, 0, 80, 0, 0}
	if got := tcp("192.0.2.1:80").key(); string(got) != string(want) {
		t.Errorf("key % x, want % x", got, want)
	}
}

// FuzzKey wants no key of the kernel's to end the daemon, and those that are
// targets to be their only key.
func FuzzKey(f *testing.F) {
	f.Add(tcp("192.0.2.1:80").key())
	f.Add(tcp("[2001:db8::1]:80").key())
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, key []byte) {
		target, err := parseKey(key)
		if err != nil {
			return
		}
		if again, err := parseKey(target.key()); err != nil || again != target {
			t.Errorf("%s comes back as %s, %v", target, again, err)
		}
	})
}
