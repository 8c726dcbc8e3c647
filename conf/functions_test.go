package conf

import (
	"math/big"
	"net/netip"
	"testing"
)

func TestNthAddress(t *testing.T) {
	tests := []struct {
		prefix string
		n      int64
		want   string
	}{
		{"10.0.0.0/24", 11, "10.0.0.11"},
		{"10.0.0.99/24", 0, "10.0.0.0"},
		{"10.0.0.0/24", -1, "10.0.0.255"},
		{"10.0.0.0/24", 256, ""},
		{"10.0.0.0/24", -257, ""},
		{"10.0.0.1/32", 0, "10.0.0.1"},
		{"2001:db8::/64", 1 << 40, "2001:db8::100:0:0"},
		{"2001:db8::/64", -1, "2001:db8::ffff:ffff:ffff:ffff"},
		{"::/0", -1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	}
	for _, test := range tests {
		got, err := nthAddress(netip.MustParsePrefix(test.prefix), big.NewInt(test.n))
		if (err == nil) != (test.want != "") || err == nil && got.String() != test.want {
			t.Errorf("nthAddress(%s, %d) = %v, %v; want %s", test.prefix, test.n, got, err, test.want)
		}
	}
}
