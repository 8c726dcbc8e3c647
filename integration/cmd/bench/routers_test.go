package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOffBeat(t *testing.T) {
	const text = `tcpdump: listening on eth0
1732629600.100000 IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 100cs, length 24
1732629600.200000 IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 5, prio 150, intvl 100cs, length 24
1732629601.101500 IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 100cs, length 24
1732629601.199000 IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 5, prio 150, intvl 100cs, length 24
3 packets captured
`
	want := []time.Duration{time.Millisecond, 1500 * time.Microsecond}
	if diff := cmp.Diff(want, offBeat(text, time.Second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
