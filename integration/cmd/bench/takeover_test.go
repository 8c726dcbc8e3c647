package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTakeovers(t *testing.T) {
	const text = `reading from file packets, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 128
1732629600.090000 eth0  Out IP 10.0.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 1cs, length 12
1732629600.100000 eth0  M   IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 1cs, length 12
1732629600.101000 eth0  Out IP 10.0.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 1cs, length 12
1732629600.101500 eth0  Out ARP, Request who-has 10.0.0.100 (ff:ff:ff:ff:ff:ff) tell 10.0.0.100, length 28
1732629600.110000 eth1  M   IP 10.3.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 52, prio 150, intvl 1cs, length 12
1732629600.120000 eth0  B   ARP, Request who-has 10.0.0.100 tell 10.0.0.10, length 28
1732629600.147000 eth1  Out IP 10.3.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 52, prio 100, intvl 1cs, length 12
1732629600.147200 eth0  Out IP 10.0.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 1cs, length 12
1732629600.147500 eth1  Out ARP, Request who-has 10.3.0.254 (ff:ff:ff:ff:ff:ff) tell 10.3.0.254, length 28
1732629600.148000 eth0  Out ARP, Request who-has 10.0.0.100 (ff:ff:ff:ff:ff:ff) tell 10.0.0.100, length 28
1732629600.149000 eth0  Out ARP, Request who-has 10.0.0.100 (ff:ff:ff:ff:ff:ff) tell 10.0.0.100, length 28
1732629600.157000 eth0  Out IP 10.0.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 1cs, length 12
1732629601.000000 eth0  M   IP 10.0.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 150, intvl 1cs, length 12
1732629601.036500 eth0  Out IP 10.0.0.2 > 224.0.0.18: VRRPv3, Advertisement, vrid 51, prio 100, intvl 1cs, length 12
1732629601.037500 eth0  Out ARP, Reply 10.0.0.100 is-at 02:00:00:00:00:01, length 28
`
	want := []took{{37 * time.Millisecond, 38 * time.Millisecond}, {36500 * time.Microsecond, 37500 * time.Microsecond}}
	if diff := cmp.Diff(want, takeovers(text, 10*time.Millisecond), cmp.AllowUnexported(took{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
