package checks

import (
	"context"
	"fmt"
	"net/netip"
)

// LDAP is up when a server accepts a bind, which is anonymous without a DN.
type LDAP struct {
	Target   netip.AddrPort
	Route    Route
	TLS      *TLS // nil is none
	DN       string
	Password string
}

// Kind returns "ldap".
func (LDAP) Kind() string { return "ldap" }

// Key implements Probe.
func (p LDAP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p LDAP) Run(ctx context.Context) Observation { return p.compile()(ctx) }

// Tags of BER, as RFC 4511 uses them.
const (
	berInteger      = 0x02
	berOctets       = 0x04
	berEnumerated   = 0x0a
	berSequence     = 0x30
	ldapBind        = 0x60
	ldapBindAnswer  = 0x61
	ldapUnbind      = 0x42
	ldapSimple      = 0x80
	ldapVersion     = 3
	ldapUnwilling   = 53
	ldapBusy        = 51
	ldapUnavailable = 52
)

func (p LDAP) compile() runner {
	secure := optionalTLS(p.TLS, p.Target)
	return func(ctx context.Context) Observation {
		t := startTalk(ctx, p.Target, p.Route, secure, "ldap")
		p.converse(t)
		return t.verdict()
	}
}

func (p LDAP) converse(t *talk) {
	t.send(string(ber(berSequence, ber(berInteger, []byte{1}), ber(ldapBind,
		ber(berInteger, []byte{ldapVersion}), ber(berOctets, []byte(p.DN)), ber(ldapSimple, []byte(p.Password))))))
	answer := t.berElement()
	if !t.ended {
		if problem := ldapProblem(answer); problem != "" {
			t.fail("%s", problem)
		}
	}
	t.send(string(ber(berSequence, ber(berInteger, []byte{2}), ber(ldapUnbind))))
}

// ber returns an element of BER, its length in the shortest form.
func ber(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, p := range parts {
		content = append(content, p...)
	}
	head := []byte{tag, byte(len(content))}
	if n := len(content); n > 0xff {
		head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	} else if n > 0x7f {
		head = []byte{tag, 0x81, byte(n)}
	}
	return append(head, content...)
}

// berElement reads the content of one element, which must be a sequence.
func (t *talk) berElement() []byte {
	head := t.take(2)
	if !t.ended && head[0] != berSequence {
		t.fail("the server does not speak LDAP")
	}
	n := int(head[1])
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 {
			t.fail("malformed answer")
		}
		n = 0
		for _, b := range t.take(min(size, 4)) {
			n = n<<8 | int(b)
		}
	}
	if !t.ended && n > maxAnswer {
		t.fail("an answer of %d bytes", n)
	}
	if t.ended {
		return nil
	}
	return t.take(n)
}

// cutBER cuts b after its first element.
func cutBER(b []byte) (tag byte, content, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	tag, n, from := b[0], int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 3 || len(b) < 2+size {
			return 0, nil, nil, false
		}
		n, from = 0, 2+size
		for _, c := range b[2:from] {
			n = n<<8 | int(c)
		}
	}
	if len(b)-from < n {
		return 0, nil, nil, false
	}
	return tag, b[from : from+n], b[from+n:], true
}

// ldapProblem says what is wrong with the answer to a bind; nothing if it is
// good.
func ldapProblem(message []byte) string {
	const malformed = "malformed answer"
	tag, _, rest, ok := cutBER(message) // the number of the message
	if !ok || tag != berInteger {
		return malformed
	}
	tag, answer, _, ok := cutBER(rest)
	if !ok || tag != ldapBindAnswer {
		return malformed
	}
	tag, code, rest, ok := cutBER(answer)
	if !ok || tag != berEnumerated || len(code) != 1 {
		return malformed
	}
	if code[0] == 0 {
		return ""
	}
	problem := fmt.Sprintf("bind refused, result %d", code[0])
	switch code[0] {
	case 8:
		problem = "bind refused: stronger authentication required"
	case 49:
		problem = "bind refused: invalid credentials"
	case ldapBusy:
		problem = "bind refused: busy"
	case ldapUnavailable:
		problem = "bind refused: unavailable"
	case ldapUnwilling:
		problem = "bind refused: unwilling to perform"
	}
	if _, _, rest, ok = cutBER(rest); ok { // the matched DN
		if _, text, _, ok := cutBER(rest); ok && len(text) > 0 {
			problem += " (" + firstLine(text) + ")"
		}
	}
	return problem
}
