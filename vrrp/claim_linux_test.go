package vrrp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
)

var (
	ours4 = netip.MustParseAddr("192.0.2.100")
	ours6 = netip.MustParseAddr("2001:db8::100")
)

// strangersARP is an ARP packet of the stranger.
func strangersARP(t testing.TB, op arp.Operation, sender, target netip.Addr) []byte {
	t.Helper()
	p, err := arp.NewPacket(op, strangerMAC, sender, net.HardwareAddr{0, 0, 0, 0, 0, 0}, target)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return etherFrame(t, ethernet.EtherTypeARP, b)
}

// strangersNDP is a message of neighbour discovery of the stranger.
func strangersNDP(t testing.TB, m ndp.Message, from netip.Addr, hops byte) []byte {
	t.Helper()
	body, err := ndp.MarshalMessageChecksum(m, from, allNodes)
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte{6 << 4, 0, 0, 0, 0, byte(len(body)), protocolICMP6, hops}, appendAddr(appendAddr(nil, from), allNodes)...)
	return etherFrame(t, ethernet.EtherTypeIPv6, append(b, body...))
}

func etherFrame(t testing.TB, kind ethernet.EtherType, b []byte) []byte {
	t.Helper()
	f := ethernet.Frame{Destination: ethernet.Broadcast, Source: strangerMAC, EtherType: kind, Payload: b}
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frames are what may be heard, and the address that they claim, if any.
func claimFrames(t testing.TB) map[string]struct {
	frame []byte
	addr  netip.Addr
} {
	other4, other6, none := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9"), netip.Addr{}
	target := &ndp.LinkLayerAddress{Direction: ndp.Target, Addr: strangerMAC}
	source := &ndp.LinkLayerAddress{Direction: ndp.Source, Addr: strangerMAC}
	type heard = struct {
		frame []byte
		addr  netip.Addr
	}
	return map[string]heard{
		"ARP reply":             {strangersARP(t, arp.OperationReply, ours4, other4), ours4},
		"gratuitous ARP":        {strangersARP(t, arp.OperationRequest, ours4, ours4), ours4},
		"ARP request from it":   {strangersARP(t, arp.OperationRequest, ours4, other4), ours4},
		"ARP probe":             {strangersARP(t, arp.OperationRequest, netip.IPv4Unspecified(), ours4), ours4},
		"ARP request for it":    {strangersARP(t, arp.OperationRequest, other4, ours4), none},
		"ARP probe for another": {strangersARP(t, arp.OperationRequest, netip.IPv4Unspecified(), other4), none},
		"advertisement":         {strangersNDP(t, &ndp.NeighborAdvertisement{Override: true, TargetAddress: ours6, Options: []ndp.Option{target}}, other6, 255), ours6},
		"without an option":     {strangersNDP(t, &ndp.NeighborAdvertisement{Solicited: true, TargetAddress: ours6}, other6, 255), ours6},
		"of another":            {strangersNDP(t, &ndp.NeighborAdvertisement{TargetAddress: other6}, other6, 255), none},
		"through a router":      {strangersNDP(t, &ndp.NeighborAdvertisement{TargetAddress: ours6}, other6, 254), none},
		"duplicate detection":   {strangersNDP(t, &ndp.NeighborSolicitation{TargetAddress: ours6}, netip.IPv6Unspecified(), 255), ours6},
		"solicitation":          {strangersNDP(t, &ndp.NeighborSolicitation{TargetAddress: ours6, Options: []ndp.Option{source}}, other6, 255), none},
		"router solicitation":   {strangersNDP(t, &ndp.RouterSolicitation{}, netip.IPv6Unspecified(), 255), none},
	}
}

// TestClaims: the kernel's filter lets in what claims one of many addresses, and of
// that the parser makes who claims which.
func TestClaims(t *testing.T) {
	var addrs4, addrs6 []netip.Addr
	for x := range 1000 {
		addrs4 = append(addrs4, netip.AddrFrom4([4]byte{10, 0, byte(x / 250), byte(x % 250)}))
		addrs6 = append(addrs6, netip.MustParseAddr(fmt.Sprintf("2001:db8::1:%x", x)))
	}
	for _, at := range []int{0, 1, 249, 250, 251, 999} {
		few4, few6 := append([]netip.Addr(nil), addrs4...), append([]netip.Addr(nil), addrs6...)
		few4[at], few6[at] = ours4, ours6
		vm4, err4 := bpf.NewVM(arpClaims(few4))
		vm6, err6 := bpf.NewVM(ndpClaims(few6))
		if err4 != nil || err6 != nil {
			t.Fatal(err4, err6)
		}
		for name, tt := range claimFrames(t) {
			vm := vm4
			if bytes.Equal(tt.frame[12:14], []byte{0x86, 0xdd}) {
				vm = vm6
			}
			passed, err := vm.Run(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			c, ok := parseClaim(tt.frame)
			ok = ok && passed > 0
			if ok != tt.addr.IsValid() || ok && (c.addr != tt.addr || !bytes.Equal(c.mac, strangerMAC)) {
				t.Errorf("%s, address %d: %+v, %v; want %v", name, at, c, ok, tt.addr)
			}
		}
	}
	if _, err := bpf.Assemble(append(notOurs(), ndpClaims(make4000(addrs6))...)); err != nil {
		t.Error(err)
	}
}

// make4000 repeats addresses four times.
func make4000(addrs []netip.Addr) (all []netip.Addr) {
	for range 4 {
		all = append(all, addrs...)
	}
	return all
}

// encode is a frame as it is sent.
func encode(t *testing.T, f *ethernet.Frame, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestQuestion: what we ask is an ARP probe, or a solicitation that is no claim.
func TestQuestion(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	f, err := question(mac, netip.MustParseAddr("192.0.2.1"), ours4)
	frame := encode(t, f, err)
	if c, ok := parseClaim(frame); !ok || c.addr != ours4 || !bytes.Equal(c.mac, mac) || !bytes.Equal(f.Destination, ethernet.Broadcast) {
		t.Errorf("to %v: %+v, %v", f.Destination, c, ok)
	}
	f, err = question(mac, netip.MustParseAddr("fe80::1"), ours6)
	frame = encode(t, f, err)
	if c, ok := parseClaim(frame); ok || !bytes.Equal(f.Destination, net.HardwareAddr{0x33, 0x33, 0xff, 0, 1, 0}) {
		t.Errorf("to %v: a claim, %+v", f.Destination, c)
	}
	ns, err := ndp.ParseMessage(frame[etherLen+ipv6Len:])
	if err != nil || ns.(*ndp.NeighborSolicitation).TargetAddress != ours6 {
		t.Errorf("%+v, %v", ns, err)
	}
}

// TestAnnouncement: what we announce claims the address for our MAC, to all.
func TestAnnouncement(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for ip, to := range map[netip.Addr]net.HardwareAddr{ours4: ethernet.Broadcast, ours6: {0x33, 0x33, 0, 0, 0, 1}} {
		f, err := announcement(mac, ip)
		frame := encode(t, f, err)
		if c, ok := parseClaim(frame); !ok || c.addr != ip || !bytes.Equal(c.mac, mac) || !bytes.Equal(f.Destination, to) {
			t.Errorf("to %v: %+v, %v", f.Destination, c, ok)
		}
	}
	f, err := announcement(mac, ours6)
	frame := encode(t, f, err)
	if hops := frame[etherLen+7]; hops != 255 {
		t.Errorf("%d hops: no host believes it (RFC 4861, section 7.1.2)", hops)
	}
	m, err := ndp.ParseMessage(frame[etherLen+ipv6Len:])
	if na, ok := m.(*ndp.NeighborAdvertisement); err != nil || !ok || !na.Override || !na.Router || na.Solicited {
		t.Errorf("%+v, %v", m, err)
	}
}

// FuzzClaim: no frame makes the parser panic, and what it makes of one has an address.
func FuzzClaim(f *testing.F) {
	for _, tt := range claimFrames(f) {
		f.Add(tt.frame)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseClaim(b); ok && !c.addr.IsValid() {
			t.Errorf("%+v", c)
		}
	})
}
