package checks

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestTCP(t *testing.T) {
	tests := []struct {
		name   string
		probe  func(t *testing.T) TCP
		ok     bool
		reason string
	}{
		{"accepts", func(t *testing.T) TCP { return TCP{Target: serve(t, waitForEnd)} }, true, ""},
		{"accepts and closes", func(t *testing.T) TCP { return TCP{Target: serve(t, func(net.Conn) {})} }, true, ""},
		{"from an address", func(t *testing.T) TCP {
			return TCP{Target: serve(t, waitForEnd), Route: Route{Source: netip.MustParseAddr("127.0.0.2")}}
		}, true, ""},
		{"refuses", func(t *testing.T) TCP { return TCP{Target: closedPort(t)} }, false, "connect: connection refused"},
		{"does not answer", func(t *testing.T) TCP { return TCP{Target: fullPort(t)} }, false, "connect: no answer in 300ms"},
		{"no such source", func(t *testing.T) TCP {
			return TCP{Target: closedPort(t), Route: Route{Source: netip.MustParseAddr("192.0.2.1")}}
		}, false, "connect: cannot assign requested address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := runBothWays(t, tt.probe(t), limitFor(tt.reason))
			if seen.OK != tt.ok || seen.Reason != tt.reason {
				t.Errorf("saw %+v, want %v %q", seen, tt.ok, tt.reason)
			}
			if ours := strings.Contains(tt.reason, "assign"); seen.Ours != ours {
				t.Errorf("ours is %v, want %v", seen.Ours, ours)
			}
		})
	}
}

// TestTCPPolite wants the probe to close in order, not to reset: a server would
// log an error for each.
func TestTCPPolite(t *testing.T) {
	ends := make(chan error, 2)
	target := serve(t, func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		ends <- err
	})
	runBothWays(t, TCP{Target: target}, time.Second)
	for range 2 {
		if err := <-ends; err == nil || err.Error() != "EOF" {
			t.Errorf("the server reads %v, want EOF", err)
		}
	}
}
