package engine

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	const web, v6 = "10.0.0.11:80", "[2001:db8::1]:53"
	tests := []struct {
		virtual, real string
		text          string // of the target
		web, v6       bool   // whether it means them, both in virtual server "web"
	}{
		{"", "10.0.0.11:80", "10.0.0.11:80", true, false},
		{"", "10.0.0.11", "10.0.0.11", true, false},
		{"", "10.0.0.11:81", "10.0.0.11:81", false, false},
		{"", "10.0.0.11:0", "10.0.0.11:0", false, false},
		{"", "::ffff:10.0.0.11", "10.0.0.11", true, false},
		{"web", "10.0.0.11", "web 10.0.0.11", true, false},
		{"dns", "10.0.0.11", "dns 10.0.0.11", false, false},
		{"web", "all", "web all", true, true},
		{"dns", "all", "dns all", false, false},
		{"", "2001:db8::1", "2001:db8::1", false, true},
		{"", "[2001:db8::1]:53", "[2001:db8::1]:53", false, true},
	}
	for _, test := range tests {
		target, err := ParseTarget(test.virtual, test.real)
		if err != nil {
			t.Errorf("%q %q: %v", test.virtual, test.real, err)
			continue
		}
		if target.String() != test.text {
			t.Errorf("%q %q is %q, want %q", test.virtual, test.real, target, test.text)
		}
		gotWeb := target.Matches("web", netip.MustParseAddrPort(web))
		gotV6 := target.Matches("web", netip.MustParseAddrPort(v6))
		if gotWeb != test.web || gotV6 != test.v6 {
			t.Errorf("%q means %s: %v, %s: %v; want %v, %v", target, web, gotWeb, v6, gotV6, test.web, test.v6)
		}
	}
	for _, bad := range []string{"", "all", "web", "10.0.0.11:", "10.0.0.11:70000", "10.0.0.0/24"} {
		if target, err := ParseTarget("", bad); err == nil {
			t.Errorf("%q was taken as %q", bad, target)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("web", "10.0.0.11:80")
	f.Add("", "[2001:db8::1%eth0]:80")
	f.Add("web", "all")
	f.Fuzz(func(t *testing.T, virtual, real string) {
		target, err := ParseTarget(virtual, real)
		if err != nil {
			return
		}
		_, text, found := strings.Cut(target.String(), virtual+" ")
		if virtual == "" || !found {
			text = target.String()
		}
		again, err := ParseTarget(virtual, text)
		if err != nil || again != target {
			t.Fatalf("%q %q is %+v, which reads back as %+v, %v", virtual, real, target, again, err)
		}
	})
}
