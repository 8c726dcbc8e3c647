package checks

import "testing"

func TestDNSType(t *testing.T) {
	for name, want := range map[string]uint16{"A": 1, "aaaa": 28, "HTTPS": 65, "CAA": 257, "TYPE1": 1, "type65280": 65280, "ANY": 255} {
		if got, ok := DNSType(name); got != want || !ok {
			t.Errorf("%s is %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "AXFR", "OPT", "TYPE", "TYPE0", "TYPE41", "TYPE252", "TYPE65536", "TYPE-1", "TYPE+1", "257", "X"} {
		if got, ok := DNSType(name); ok {
			t.Errorf("%q is taken for type %d", name, got)
		}
	}
}
