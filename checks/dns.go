package checks

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is up when a name server answers a question.
type DNS struct {
	Target netip.AddrPort
	Route  Route
	TCP    bool
	Name   string   // with or without the dot at its end
	Type   string   // as DNSType knows it; empty is A
	Answer []string // data that the answers must have among them, each, see answers
	Empty  bool     // no answer, or that there is no such name, is good too
}

// Kind returns "dns".
func (DNS) Kind() string { return "dns" }

// Key implements Probe.
func (p DNS) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p DNS) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p DNS) compile() runner {
	question, err := p.question()
	if err != nil {
		return broken(fmt.Errorf("dns: %w", err))
	}
	return func(ctx context.Context) Observation {
		// A new number each time: a late answer to the last probe is no answer.
		message := slices.Clone(question)
		var id [2]byte
		rand.Read(id[:])
		copy(message, id[:])
		if p.TCP {
			t := startTalk(ctx, p.Target, p.Route, nil, "dns")
			p.converse(t, message)
			return t.verdict()
		}
		t := startDatagrams(ctx, p.Target, p.Route, "dns")
		t.send(string(message))
		t.datagram(func(b []byte) bool { return len(b) >= 2 && string(b[:2]) == string(id[:]) })
		if t.ended {
			return t.verdict()
		}
		switch problem := p.judge(t.came, message); {
		case problem != "" && truncated(t.came):
			return p.again(ctx, t, message)
		case problem != "":
			t.fail("%s", problem)
		}
		return t.verdict()
	}
}

// converse asks over TCP.
func (p DNS) converse(t *talk, message []byte) {
	t.send(string(binary.BigEndian.AppendUint16(nil, uint16(len(message)))) + string(message))
	size := int(binary.BigEndian.Uint16(t.take(2)))
	if answer := t.take(size); !t.ended {
		if problem := p.judge(answer, message); problem != "" {
			t.fail("%s", problem)
		}
	}
}

// again asks over TCP what a datagram has answered in part, as every client does
// (RFC 7766, section 5), in what is left of the time.
func (p DNS) again(ctx context.Context, datagrams *talk, message []byte) Observation {
	datagrams.verdict() // closes
	t := startTalk(ctx, p.Target, p.Route, nil, "dns")
	t.begin = datagrams.begin
	p.converse(t, message)
	seen := t.verdict()
	if !seen.OK {
		seen.Reason = "dns: answer is truncated, over TCP: " + strings.TrimPrefix(seen.Reason, "dns: ")
	}
	return seen
}

// truncated reports whether a message is an answer that did not fit in its
// datagram.
func truncated(b []byte) bool {
	const isAnswer, isTruncated = 0x80, 0x02
	return len(b) > 2 && b[2]&isAnswer != 0 && b[2]&isTruncated != 0
}

// datagram waits for one that is ours.
func (t *talk) datagram(ours func([]byte) bool) {
	for !t.ended {
		t.came = slices.Grow(t.came[:0], maxAnswer)
		switch err := t.read(); {
		case err != nil:
			t.broken(err)
		case ours(t.came):
			return
		}
	}
}

// question returns the message that asks, with number 0.
func (p DNS) question() ([]byte, error) {
	name := p.Name
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", p.Name, err)
	}
	kind, ok := DNSType(p.wanted())
	if !ok {
		return nil, fmt.Errorf("type %q: want the name of a type of records, or TYPE and its number", p.Type)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: dnsmessage.Type(kind), Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", p.Name, err)
	}
	return b, nil
}

// wanted is the type of records that is asked for.
func (p DNS) wanted() string { return strings.ToUpper(cmp.Or(p.Type, "A")) }

// judge says what is wrong with an answer to asked; nothing if it is good.
func (p DNS) judge(answer, asked []byte) string {
	var parser dnsmessage.Parser
	header, err := parser.Start(answer)
	if err != nil {
		return "malformed answer: " + err.Error()
	}
	switch {
	case header.ID != binary.BigEndian.Uint16(asked):
		return "answer to another question"
	case !header.Response:
		return "the question came back"
	case header.RCode == dnsmessage.RCodeNameError && p.Empty:
		return ""
	case header.RCode != dnsmessage.RCodeSuccess:
		return fmt.Sprintf("answer is %s, wanted NOERROR", rcode(header.RCode))
	}
	if err := parser.SkipAllQuestions(); err != nil {
		return "malformed answer: " + err.Error()
	}
	found, err := answers(&parser)
	if err != nil && !header.Truncated {
		return "malformed answer: " + err.Error()
	}
	// A server that cannot follow an alias (CNAME) to its end answers with that
	// alone (RFC 1034, section 4.3.2, step 3a): no error, and no use to a client.
	kind, _ := DNSType(p.wanted())
	if !found.has(dnsmessage.Type(kind)) && !p.Empty {
		problem := fmt.Sprintf("no %s record of %s", p.wanted(), p.Name)
		if found.alias != "" {
			problem += ", only an alias (CNAME) to " + strings.TrimSuffix(firstLine([]byte(found.alias)), ".")
		}
		return problem
	}
	for _, want := range p.Answer {
		if !slices.ContainsFunc(found.data, func(d string) bool { return sameData(d, want) }) {
			return fmt.Sprintf("answer has no %s, but %s", want, cmp.Or(firstLine([]byte(strings.Join(found.data, ", "))), "nothing"))
		}
	}
	return ""
}

// records are those of an answer.
type records struct {
	types []dnsmessage.Type
	data  []string // as text: an address, a name, a text, host and port of SRV; and of other types what dnsUnknown makes of it
	alias string   // that the last CNAME leads to
}

// has reports whether a record is of the type, or there is any if that is ANY.
func (r records) has(kind dnsmessage.Type) bool {
	return slices.Contains(r.types, kind) || kind == dnsmessage.TypeALL && len(r.types) > 0
}

// answers reads the records of an answer, as far as they can be read.
func answers(parser *dnsmessage.Parser) (found records, err error) {
	add := func(kind dnsmessage.Type, data string) {
		found.types, found.data = append(found.types, kind), append(found.data, data)
	}
	for {
		header, err := parser.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		switch header.Type {
		case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME, dnsmessage.TypeMX, dnsmessage.TypeNS,
			dnsmessage.TypePTR, dnsmessage.TypeSOA, dnsmessage.TypeSRV, dnsmessage.TypeTXT:
		default:
			body, err := parser.UnknownResource()
			if err != nil {
				return found, err
			}
			add(header.Type, dnsUnknown(body.Data))
			continue
		}
		r, err := parser.Answer()
		if err != nil {
			return found, err
		}
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			add(header.Type, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			add(header.Type, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.CNAMEResource:
			found.alias = body.CNAME.String()
			add(header.Type, found.alias)
		case *dnsmessage.MXResource:
			add(header.Type, body.MX.String())
		case *dnsmessage.NSResource:
			add(header.Type, body.NS.String())
		case *dnsmessage.PTRResource:
			add(header.Type, body.PTR.String())
		case *dnsmessage.SOAResource:
			add(header.Type, body.NS.String())
		case *dnsmessage.SRVResource:
			add(header.Type, fmt.Sprintf("%s:%d", strings.TrimSuffix(body.Target.String(), "."), body.Port))
		case *dnsmessage.TXTResource:
			add(header.Type, strings.Join(body.TXT, ""))
		}
	}
}

// sameData compares what an answer holds with what an operator wrote.
func sameData(got, want string) bool {
	if a, err := netip.ParseAddr(want); err == nil {
		return got == a.String()
	}
	return strings.EqualFold(strings.TrimSuffix(got, "."), strings.TrimSuffix(want, ".")) || sameUnknown(got, want)
}

// rcode returns the name that tools print for a response code.
func rcode(c dnsmessage.RCode) string {
	names := []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("RCODE%d", c)
}
