package vrrp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
)

// TestFrame builds the frames of a virtual MAC address.
func TestFrame(t *testing.T) {
	tests := []struct {
		name, src, dst string
		ip             string // the header
	}{
		{"IPv4", "192.0.2.1", "224.0.0.18",
			"01005e000012" + "00005e000133" + "0800" + "45c000200000" + "0000" + "ff70" + "189a" + "c0000201" + "e0000012"},
		{"IPv6", "fe80::1", "ff02::12",
			"333300000012" + "00005e000233" + "86dd" + "6c000000" + "000c" + "70ff" +
				"fe800000000000000000000000000001" + "ff020000000000000000000000000012"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := hex.DecodeString(test.ip)
			if err != nil {
				t.Fatal(err)
			}
			to := envelope{src: netip.MustParseAddr(test.src), dst: netip.MustParseAddr(test.dst), ttl: 255}
			to.mac = virtualMAC(0x33, to.src.Is6())
			payload := []byte("twelve bytes")
			got := appendFrame(nil, multicastMAC(to.dst), payload, to)
			if !bytes.Equal(got, append(want, payload...)) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

func TestDeviceName(t *testing.T) {
	l := link{index: 123456, name: "eth0"}
	if got := l.device(); got != "eth0" {
		t.Errorf("without a virtual MAC address: %s", got)
	}
	l.vmac = virtualMAC(255, true)
	if got := l.device(); got != "vrrp6-255.2n9c" {
		t.Errorf("with one: %s", got)
	}
	l.index = 1<<24 - 1
	if got := l.device(); len(got) > 15 {
		t.Errorf("%s is too long for an interface", got)
	}
}

// FuzzFill4 takes the header off anything without a panic, and never gives
// more than came.
func FuzzFill4(f *testing.F) {
	a := advert{version: 3, id: 51, priority: 100, interval: time.Second, addresses: addrs("192.0.2.100")}
	to := envelope{src: netip.MustParseAddr("192.0.2.1"), dst: group4, ttl: 255, mac: virtualMAC(51, false)}
	f.Add(appendFrame(nil, multicastMAC(group4), a.appendTo(nil, to.src, to.dst), to)[14:])
	f.Add([]byte{0x4f, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr frame
		n := copy(fr.buf[:], b)
		fr.fill4(n)
		if fr.n < 0 || fr.n > n {
			t.Errorf("%d bytes of %d", fr.n, n)
		}
	})
}
