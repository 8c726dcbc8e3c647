package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// HMAC is how a group's advertisements are signed: a trailer behind the message
// with an HMAC-SHA256 of 128 bits, as keepalived 2.4 speaks it.
type HMAC struct {
	Keys   []Key         // all are taken; several while keys are changed
	Active uint8         // the one to sign with
	Mode   HMACMode      //
	Window time.Duration // how old a signature may be; 0 is the greater of 3 intervals and 5s
	Clock  bool          // whether signatures are judged by the time of day, which the peers must share; else each must only be newer than the last
}

// Key is a shared secret of 32 to 64 bytes. It prints without the secret.
type Key struct {
	ID     uint8 // 1–255
	Secret []byte
}

// String tells which key it is, and nothing of the secret.
func (k Key) String() string { return fmt.Sprintf("key %d", k.ID) }

// GoString is String: no verb prints the secret.
func (k Key) GoString() string { return k.String() }

// HMACMode is how strict a group is: the steps in which a LAN is converted.
type HMACMode uint8

// The modes.
const (
	HMACEnforce     HMACMode = iota // signs, and takes only what is signed
	HMACPermissive                  // signs, and takes what is unsigned as well
	HMACReceiveOnly                 // does not sign; what comes signed must be right
)

// The trailer: type, key id, two bytes zero, 8 bytes sequence, HMAC.
const (
	trailerLen   = 28
	trailerHead  = 12
	trailerType  = 1
	minSecret    = 32
	maxSecret    = 64
	rememberPeer = 8 // senders whose last sequence is remembered
)

// sequence is a time: seconds in the upper half, then a fraction of a second in
// 1/65536, then a counter that breaks ties.
type sequence uint64

func sequenceAt(t time.Time) sequence {
	return sequence(t.Unix())<<32 | sequence(t.Nanosecond()/1000*65536/1_000_000)<<16
}

// after compares by serial number arithmetic (RFC 1982): the seconds wrap in 2106.
func (s sequence) after(o sequence) bool { return int64(s-o) > 0 }

// time is the sequence as a time near now.
func (s sequence) time() time.Time {
	return time.Unix(int64(s>>32), int64(s>>16&0xffff)*1_000_000/65536*1000)
}

// appendTrailer signs the message, which is b from start on.
func (k Key) appendTrailer(b []byte, start int, src netip.Addr, s sequence) []byte {
	msg := b[start:]
	b = append(b, trailerType, k.ID, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(s))
	sum := k.sum(src, msg, b[len(b)-trailerHead:])
	return append(b, sum[:]...)
}

// sum is the HMAC over a pseudo-header, the message with its checksum read as
// zero, the head of the trailer and zeros in the place of the HMAC.
func (k Key) sum(src netip.Addr, msg, head []byte) [16]byte {
	var pseudo [20]byte
	pseudo[0], pseudo[1], pseudo[2] = 4, msg[0]>>4, msg[1]
	if src.Is6() {
		pseudo[0] = 6
	}
	appendAddr(pseudo[4:4], src)
	var zero [16]byte
	h := hmac.New(sha256.New, k.Secret)
	h.Write(pseudo[:])
	h.Write(msg[:checksumAt])
	h.Write(zero[:2])
	h.Write(msg[checksumAt+2:])
	h.Write(head)
	h.Write(zero[:])
	return [16]byte(h.Sum(nil))
}

// signatures is what a group knows of signatures: its own last sequence and
// those of its peers.
type signatures struct {
	own   sequence
	peers []peerSequence // most recently used last
}

type peerSequence struct {
	src  netip.Addr
	last sequence
}

// next is the sequence of the next advertisement: the clock, or one more than
// the last if the clock stands or has been set back.
func (s *signatures) next(now time.Time) sequence {
	at := sequenceAt(now)
	if s.own != 0 && !at.after(s.own) {
		at = s.own + 1
	}
	s.own = at
	return at
}

// verify judges a packet's trailer; msg is the message in front of it. Nothing
// is remembered of a packet that is not genuine.
func (s *signatures) verify(h *HMAC, window time.Duration, now time.Time, src netip.Addr, msg, trailer []byte) drop {
	if len(trailer) == 0 {
		if h.Mode == HMACEnforce {
			return dropUnsigned
		}
		return taken
	}
	if len(trailer) != trailerLen || trailer[0] != trailerType || trailer[2] != 0 || trailer[3] != 0 {
		return dropTrailer
	}
	key, ok := h.key(trailer[1])
	if !ok {
		return dropKey
	}
	sum := key.sum(src, msg, trailer[:trailerHead])
	if !hmac.Equal(sum[:], trailer[trailerHead:]) {
		return dropHMAC
	}
	at := sequence(binary.BigEndian.Uint64(trailer[4:]))
	if h.Clock {
		if age := now.Sub(at.time()); age > window || age < -window {
			return dropStale
		}
	}
	return s.remember(src, at)
}

// key finds a key by its id.
func (h *HMAC) key(id uint8) (Key, bool) {
	for _, k := range h.Keys {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// remember refuses what is not newer than the last of the same sender.
func (s *signatures) remember(src netip.Addr, at sequence) drop {
	for i, p := range s.peers {
		if p.src != src {
			continue
		}
		if !at.after(p.last) {
			return dropReplay
		}
		copy(s.peers[i:], s.peers[i+1:])
		s.peers[len(s.peers)-1] = peerSequence{src, at}
		return taken
	}
	if len(s.peers) == rememberPeer {
		copy(s.peers, s.peers[1:])
		s.peers = s.peers[:rememberPeer-1]
	}
	s.peers = append(s.peers, peerSequence{src, at})
	return taken
}

// check refuses keys that are none.
func (h *HMAC) check() error {
	for _, k := range h.Keys {
		if k.ID == 0 {
			return fmt.Errorf("HMAC key id 0 is not allowed")
		}
		if len(k.Secret) < minSecret || len(k.Secret) > maxSecret {
			return fmt.Errorf("HMAC key %d has %d bytes, want %d to %d", k.ID, len(k.Secret), minSecret, maxSecret)
		}
	}
	if _, ok := h.key(h.Active); !ok && h.Mode != HMACReceiveOnly {
		return fmt.Errorf("HMAC key %d to sign with is not among the keys", h.Active)
	}
	return nil
}
