package checks

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Radius is up when a server that knows the secret accepts a user, or without
// a user answers Status-Server (RFC 5997).
type Radius struct {
	Target   netip.AddrPort
	Route    Route
	Secret   string
	User     string // empty asks for the server's status
	Password string
}

// Kind returns "radius".
func (Radius) Kind() string { return "radius" }

// Key implements Probe.
func (p Radius) Key() string { return digest(p.Kind(), p) }

// Codes and attributes of RFC 2865.
const (
	radiusRequest       = 1
	radiusAccept        = 2
	radiusReject        = 3
	radiusAccounted     = 5
	radiusChallenge     = 11
	radiusStatus        = 12
	radiusUser          = 1
	radiusPassword      = 2
	radiusNAS           = 32
	radiusAuthenticator = 80
	radiusHead          = 20 // code, number, length, authenticator
)

// Run implements Probe.
func (p Radius) Run(ctx context.Context) Observation {
	t := startDatagrams(ctx, p.Target, p.Route, "radius")
	var random [17]byte
	rand.Read(random[:])
	request := p.request(random[0], [16]byte(random[1:]))
	t.send(string(request))
	t.datagram(func(b []byte) bool { return len(b) > 1 && b[1] == random[0] })
	if !t.ended {
		if problem := p.problem(t.came, request); problem != "" {
			t.fail("%s", problem)
		}
	}
	return t.verdict()
}

// request returns a request with a Message-Authenticator, which Status-Server
// must have and Access-Request should.
func (p Radius) request(id byte, authenticator [16]byte) []byte {
	b := []byte{radiusStatus, id, 0, 0}
	if p.User != "" {
		b[0] = radiusRequest
	}
	b = append(b, authenticator[:]...)
	attribute := func(kind byte, value []byte) {
		b = append(append(b, kind, byte(2+len(value))), value...)
	}
	if p.User != "" {
		attribute(radiusUser, []byte(p.User))
		attribute(radiusPassword, p.hidePassword(authenticator))
	}
	attribute(radiusNAS, []byte("director"))
	attribute(radiusAuthenticator, make([]byte, md5.Size))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	mac := hmac.New(md5.New, []byte(p.Secret))
	mac.Write(b)
	copy(b[len(b)-md5.Size:], mac.Sum(nil))
	return b
}

// hidePassword is RFC 2865, section 5.2.
func (p Radius) hidePassword(authenticator [16]byte) []byte {
	const longest = 128
	plain := []byte(p.Password)[:min(len(p.Password), longest)]
	plain = append(plain, make([]byte, (md5.Size-len(plain)%md5.Size)%md5.Size)...)
	if len(plain) == 0 {
		plain = make([]byte, md5.Size)
	}
	last := authenticator[:]
	for i := 0; i < len(plain); i += md5.Size {
		pad := md5.Sum(append([]byte(p.Secret), last...))
		for j := range pad {
			plain[i+j] ^= pad[j]
		}
		last = plain[i : i+md5.Size]
	}
	return plain
}

// problem says what is wrong with the answer to a request; nothing if it is good.
func (p Radius) problem(b, request []byte) string {
	if len(b) < radiusHead || int(binary.BigEndian.Uint16(b[2:])) > len(b) || binary.BigEndian.Uint16(b[2:]) < radiusHead {
		return "malformed answer"
	}
	b = b[:binary.BigEndian.Uint16(b[2:])]
	// RFC 2865, section 3: the answer's authenticator covers the request's.
	sum := md5.New()
	sum.Write(b[:4])
	sum.Write(request[4:radiusHead])
	sum.Write(b[radiusHead:])
	sum.Write([]byte(p.Secret))
	if !hmac.Equal(sum.Sum(nil), b[4:radiusHead]) {
		return "answer is signed with another secret"
	}
	switch code := b[0]; {
	case code == radiusAccept, code == radiusAccounted && p.User == "":
		return ""
	case code == radiusReject:
		return "user rejected"
	case code == radiusChallenge:
		return "user is asked for more than a password"
	default:
		return fmt.Sprintf("answer has code %d", code)
	}
}
