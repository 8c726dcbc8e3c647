package vrrp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// vectorKey is 00 01 … 1f.
func vectorKey() Key {
	k := Key{ID: 1}
	for i := range 32 {
		k.Secret = append(k.Secret, byte(i))
	}
	return k
}

// hmacVectors are published with the draft that keepalived 2.4 follows.
var hmacVectors = []struct {
	name, src, dst, address string
	bytes                   string
}{
	{"IPv4", "198.51.100.10", "224.0.0.18", "192.0.2.100",
		"3133c80100644402c0000264" + "010100006800000080000000" + "1b84bc4e8e43892dc6d98448f8ee2265"},
	{"IPv6", "fe80::10", "fe80::20", "fe80::100",
		"3133c8010064a2e9fe800000000000000000000000000100" + "010100006800000080000000" + "c8c56146ebfd66ee10ec4d8186461b78"},
}

const vectorSequence = sequence(0x6800000080000000)

func TestHMACVectors(t *testing.T) {
	for _, v := range hmacVectors {
		t.Run(v.name, func(t *testing.T) {
			want, err := hex.DecodeString(v.bytes)
			if err != nil {
				t.Fatal(err)
			}
			src, dst := netip.MustParseAddr(v.src), netip.MustParseAddr(v.dst)
			a := advert{version: 3, id: 51, priority: 200, interval: time.Second, addresses: addrs(v.address)}
			h := &HMAC{Keys: []Key{vectorKey()}, Active: 1, Clock: true}
			var m member
			m.p.self = src
			got := m.sign(h, a.appendTo(nil, src, dst), dst, vectorSequence.time())
			if src.Is4() {
				// The draft leaves the pseudo-header out, as RFC 9568 does.
				copy(got[checksumAt:], want[checksumAt:checksumAt+2])
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %x\nwant %x", got, want)
			}
			var back advert
			if why := back.parse(want, src, dst); why != taken {
				t.Fatalf("parse drops the vector: %s", why)
			}
			var s signatures
			now := vectorSequence.time()
			if why := s.verify(h, 5*time.Second, now, src, want[:back.length], want[back.length:]); why != taken {
				t.Errorf("verify drops the vector: %s", why)
			}
			if why := s.verify(h, 5*time.Second, now, src, want[:back.length], want[back.length:]); why != dropReplay {
				t.Errorf("the same packet again: %s", why)
			}
		})
	}
}

// TestHMACFlippedBits is the draft's table: where a bit is flipped, and what a
// receiver then finds.
func TestHMACFlippedBits(t *testing.T) {
	tests := []struct {
		at   int
		want drop
	}{
		{2, dropHMAC}, {4, dropHMAC}, {5, dropHMAC}, {23, dropHMAC}, // priority, interval, address
		{24, dropTrailer}, {25, dropKey}, {26, dropTrailer}, {27, dropTrailer},
		{31, dropHMAC}, {35, dropHMAC}, {36, dropHMAC}, {51, dropHMAC}, // seconds, counter, HMAC
		{6, taken}, {7, taken}, // the checksum is not signed
		{1, dropHMAC}, // router id
	}
	src := netip.MustParseAddr("fe80::10")
	for _, test := range tests {
		t.Run(fmt.Sprint(test.at), func(t *testing.T) {
			b, err := hex.DecodeString(hmacVectors[1].bytes)
			if err != nil {
				t.Fatal(err)
			}
			b[test.at] ^= 1
			var s signatures
			h := &HMAC{Keys: []Key{vectorKey()}}
			if got := s.verify(h, time.Second, time.Now(), src, b[:24], b[24:]); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	b, err := hex.DecodeString(hmacVectors[1].bytes)
	if err != nil {
		t.Fatal(err)
	}
	var s signatures
	h := &HMAC{Keys: []Key{vectorKey()}}
	if got := s.verify(h, time.Second, time.Now(), netip.MustParseAddr("fe80::11"), b[:24], b[24:]); got != dropHMAC {
		t.Errorf("another source: %s", got)
	}
	if got := s.verify(h, time.Second, time.Now(), src, b[:24], b[24:50]); got != dropTrailer {
		t.Errorf("a cut trailer: %s", got)
	}
}

func TestHMACModes(t *testing.T) {
	tests := []struct {
		mode HMACMode
		want drop
	}{{HMACEnforce, dropUnsigned}, {HMACPermissive, taken}, {HMACReceiveOnly, taken}}
	for _, test := range tests {
		var s signatures
		h := &HMAC{Keys: []Key{vectorKey()}, Mode: test.mode}
		if got := s.verify(h, time.Second, time.Now(), selfIP, make([]byte, 12), nil); got != test.want {
			t.Errorf("mode %d: unsigned: %s, want %s", test.mode, got, test.want)
		}
	}
}

func TestHMACWindow(t *testing.T) {
	msg := (&advert{version: 3, id: 51, priority: 100, interval: time.Second, addresses: addrs("192.0.2.100")}).appendTo(nil, selfIP, group4)
	now := time.Unix(1_800_000_000, 0)
	h := &HMAC{Keys: []Key{vectorKey()}, Clock: true}
	for age, want := range map[time.Duration]drop{
		0: taken, 4 * time.Second: taken, -4 * time.Second: taken, 6 * time.Second: dropStale, -6 * time.Second: dropStale,
	} {
		var s signatures
		b := vectorKey().appendTrailer(msg, 0, selfIP, sequenceAt(now.Add(-age)))
		if got := s.verify(h, 5*time.Second, now, selfIP, b[:len(msg)], b[len(msg):]); got != want {
			t.Errorf("age %s: %s, want %s", age, got, want)
		}
	}
}

// TestSequence grows whatever the clock does, also past the wrap of its seconds.
func TestSequence(t *testing.T) {
	var s signatures
	now := time.Unix(1_800_000_000, 0)
	last := s.next(now)
	for _, at := range []time.Time{now, now.Add(-time.Hour), now.Add(time.Microsecond), now.Add(time.Second)} {
		next := s.next(at)
		if !next.after(last) {
			t.Errorf("%x is not after %x", next, last)
		}
		last = next
	}
	if !sequence(5).after(^sequence(5)) {
		t.Error("no wrap")
	}
	late := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC) // half of the seconds that the sequence has
	if first := new(signatures).next(late); first != sequenceAt(late) {
		t.Errorf("the first is %x, want the clock's %x", first, sequenceAt(late))
	}
}

// TestPeersRemembered keeps the last few senders apart.
func TestPeersRemembered(t *testing.T) {
	var s signatures
	for i := range 2 * rememberPeer {
		if why := s.remember(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 7); why != taken {
			t.Errorf("sender %d: %s", i, why)
		}
	}
	if len(s.peers) != rememberPeer {
		t.Errorf("%d senders remembered", len(s.peers))
	}
	if why := s.remember(netip.AddrFrom4([4]byte{192, 0, 2, 15}), 7); why != dropReplay {
		t.Errorf("the last sender again: %s", why)
	}
}

// TestSecretIsNotPrinted prints a key in every way that fmt has.
func TestSecretIsNotPrinted(t *testing.T) {
	h := HMAC{Keys: []Key{{ID: 3, Secret: []byte("a secret that must not be printed")}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, h); strings.Contains(got, "secret that") || strings.Contains(got, "97, 32, 115") || strings.Contains(got, "97 32 115") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// FuzzHMAC verifies anything without a panic.
func FuzzHMAC(f *testing.F) {
	for _, v := range hmacVectors {
		b, err := hex.DecodeString(v.bytes)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, strings.Contains(v.name, "6"))
	}
	h := &HMAC{Keys: []Key{vectorKey()}}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		src, dst := selfIP, group4
		if v6 {
			src, dst = netip.MustParseAddr("fe80::10"), netip.MustParseAddr("fe80::20")
		}
		var a advert
		if a.parse(b, src, dst) != taken {
			return
		}
		var s signatures
		_ = s.verify(h, time.Second, time.Unix(0, 0), src, b[:a.length], b[a.length:])
	})
}
