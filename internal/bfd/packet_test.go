package bfd

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golden is a packet of each kind with its bytes, written down by the figure of
// RFC 5880, section 4.1.
var golden = []struct {
	name, bytes string
	packet      packet
}{
	{"the first of a session", "20400318" + "00000001" + "00000000" + "000f4240" + "000493e0" + "00000000",
		packet{state: Down, multiplier: 3, mine: 1, minTx: time.Second, minRx: 300 * time.Millisecond}},
	{"up", "20c00318" + "0a0b0c0d" + "01020304" + "0000c350" + "0000c350" + "00000000",
		packet{state: Up, multiplier: 3, mine: 0x0a0b0c0d, yours: 0x01020304, minTx: 50 * time.Millisecond, minRx: 50 * time.Millisecond}},
	{"poll, control plane independent", "20e80518" + "00000002" + "00000001" + "000f4240" + "00000000" + "00002710",
		packet{state: Up, poll: true, independent: true, multiplier: 5, mine: 2, yours: 1, minTx: time.Second, minEchoRx: 10 * time.Millisecond}},
	{"final, demand, detection time expired", "21920318" + "00000002" + "00000001" + "000f4240" + "000f4240" + "00000000",
		packet{diag: DetectionExpired, state: Init, final: true, demand: true, multiplier: 3, mine: 2, yours: 1, minTx: time.Second, minRx: time.Second}},
	{"administratively down", "2700ff18" + "ffffffff" + "00000001" + "ffffffff" + "ffffffff" + "00000000",
		packet{diag: AdministratorDown, state: AdminDown, multiplier: 255, mine: 1<<32 - 1, yours: 1, minTx: (1<<32 - 1) * time.Microsecond, minRx: (1<<32 - 1) * time.Microsecond}},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPacketGolden(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.bytes)
			if got := hex.EncodeToString(tt.packet.appendTo(nil)); got != tt.bytes {
				t.Errorf("bytes\n got %s\nwant %s", got, tt.bytes)
			}
			got, why := parse(b)
			if why != kept {
				t.Fatalf("dropped: %v", why)
			}
			if diff := cmp.Diff(tt.packet, got, cmp.AllowUnexported(packet{})); diff != "" {
				t.Errorf("packet (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseDrops follows RFC 5880, section 6.8.6.
func TestParseDrops(t *testing.T) {
	const tail = "000f4240" + "000f4240" + "00000000"
	tests := []struct {
		name, bytes string
		want        drop
	}{
		{"nothing", "", dropLength},
		{"version 0", "00400318" + "00000001" + "00000000" + tail, dropVersion},
		{"version 2", "40400318" + "00000001" + "00000000" + tail, dropVersion},
		{"payload of 23 bytes", "20400317" + "00000001" + "00000000" + tail[:22], dropLength},
		{"length 23", "20400317" + "00000001" + "00000000" + tail, dropLength},
		{"length over payload", "20400319" + "00000001" + "00000000" + tail, dropLength},
		{"authenticated, length 24", "20440318" + "00000001" + "00000000" + tail, dropLength},
		{"payload longer than length", "20400318" + "00000001" + "00000000" + tail + "ff", kept},
		{"multiplier 0", "20400018" + "00000001" + "00000000" + tail, dropMultiplier},
		{"multipoint", "20410318" + "00000001" + "00000000" + tail, dropMultipoint},
		{"my discriminator 0", "20400318" + "00000000" + "00000001" + tail, dropMine},
		{"init without your discriminator", "20800318" + "00000001" + "00000000" + tail, dropState},
		{"up without your discriminator", "20c00318" + "00000001" + "00000000" + tail, dropState},
		{"admin down without your discriminator", "20000318" + "00000001" + "00000000" + tail, kept},
		{"authenticated", "2044031a" + "00000001" + "00000000" + tail + "0102", dropAuth},
		{"poll and final", "20f00318" + "00000001" + "00000001" + tail, dropFlags},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := parse(unhex(t, tt.bytes)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// FuzzParse: no bytes make it panic, and what it takes it writes again.
func FuzzParse(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, why := parse(b)
		if why != kept {
			if p != (packet{}) || why >= drops || why.String() == "none" {
				t.Fatalf("dropped for %d with packet %+v", why, p)
			}
			return
		}
		want := append([]byte(nil), b[:packetSize]...)
		want[3] = packetSize // what follows is not ours to send
		if got := p.appendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("\n got %x\nwant %x", got, want)
		}
	})
}
