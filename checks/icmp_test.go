package checks

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPingGroup(t *testing.T) {
	tests := []struct {
		sysctl string
		groups []int
		want   bool
	}{
		{"1\t0\n", []int{0}, false}, // the kernel's default: nobody
		{"0\t0\n", []int{0}, true},
		{"0\t2147483647\n", []int{1000}, true},
		{"100\t200\n", []int{5, 150}, true},
		{"100\t200\n", []int{99, 201}, false},
		{"", []int{0}, false},
	}
	for _, tt := range tests {
		if got := pingGroup(tt.sysctl, tt.groups); got != tt.want {
			t.Errorf("%q, %v: got %v", tt.sysctl, tt.groups, got)
		}
	}
}

// TestICMP runs where the kernel gives ICMP sockets, and wants the refusal to
// be ours where it does not.
func TestICMP(t *testing.T) {
	may := mayPing() || os.Geteuid() == 0
	tests := []struct {
		name   string
		probe  ICMP
		status string
		reason string
	}{
		{"answers", ICMP{Target: netip.MustParseAddr("127.0.0.1")}, "1 of 1", ""},
		{"answers over IPv6", ICMP{Target: netip.MustParseAddr("::1")}, "1 of 1", ""},
		{"three, from an address", ICMP{Target: netip.MustParseAddr("127.0.0.1"), Source: netip.MustParseAddr("127.0.0.2"), Count: 3}, "3 of 3", ""},
		{"loss allowed", ICMP{Target: netip.MustParseAddr("127.0.0.1"), Count: 2, MaxLoss: 50}, "1 of 2", ""},
		{"unanswered", ICMP{Target: netip.MustParseAddr("240.0.0.1")}, "", "icmp: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit := 2 * time.Second
			if tt.reason != "" {
				limit = 300 * time.Millisecond
			}
			seen := runBothWays(t, tt.probe, limit)
			if !may {
				if !seen.Ours || seen.OK {
					t.Errorf("saw %+v, want a failure of our own", seen)
				}
				return
			}
			if seen.OK != (tt.reason == "") || tt.reason == "" && seen.Status != tt.status || !strings.HasPrefix(seen.Reason, tt.reason) {
				t.Errorf("saw %+v, want status %q, reason %q", seen, tt.status, tt.reason)
			}
		})
	}
}
