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
			t.send(string(binary.BigEndian.AppendUint16(nil, uint16(len(message)))) + string(message))
			size := int(binary.BigEndian.Uint16(t.take(2)))
			if answer := t.take(size); !t.ended {
				if problem := p.judge(answer, message); problem != "" {
					t.fail("%s", problem)
				}
			}
			return t.verdict()
		}
		t := startDatagrams(ctx, p.Target, p.Route, "dns")
		t.send(string(message))
		t.datagram(func(b []byte) bool { return len(b) >= 2 && string(b[:2]) == string(id[:]) })
		if !t.ended {
			if problem := p.judge(t.came, message); problem != "" {
				t.fail("%s", problem)
			}
		}
		return t.verdict()
	}
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
	kind, ok := DNSType(cmp.Or(p.Type, "A"))
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
	data, err := answers(&parser)
	if err != nil && !header.Truncated {
		return "malformed answer: " + err.Error()
	}
	if len(data) == 0 && !p.Empty {
		return fmt.Sprintf("no %s record of %s", strings.ToUpper(cmp.Or(p.Type, "A")), p.Name)
	}
	for _, want := range p.Answer {
		if !slices.ContainsFunc(data, func(d string) bool { return sameData(d, want) }) {
			return fmt.Sprintf("answer has no %s, but %s", want, cmp.Or(firstLine([]byte(strings.Join(data, ", "))), "nothing"))
		}
	}
	return ""
}

// answers returns the data of the answers, as text: an address, a name, a text,
// host and port of SRV; and of other types what dnsUnknown makes of it.
func answers(parser *dnsmessage.Parser) ([]string, error) {
	var data []string
	for {
		header, err := parser.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		switch header.Type {
		case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME, dnsmessage.TypeMX, dnsmessage.TypeNS,
			dnsmessage.TypePTR, dnsmessage.TypeSOA, dnsmessage.TypeSRV, dnsmessage.TypeTXT:
		default:
			body, err := parser.UnknownResource()
			if err != nil {
				return data, err
			}
			data = append(data, dnsUnknown(body.Data))
			continue
		}
		r, err := parser.Answer()
		if err != nil {
			return data, err
		}
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			data = append(data, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			data = append(data, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.CNAMEResource:
			data = append(data, body.CNAME.String())
		case *dnsmessage.MXResource:
			data = append(data, body.MX.String())
		case *dnsmessage.NSResource:
			data = append(data, body.NS.String())
		case *dnsmessage.PTRResource:
			data = append(data, body.PTR.String())
		case *dnsmessage.SOAResource:
			data = append(data, body.NS.String())
		case *dnsmessage.SRVResource:
			data = append(data, fmt.Sprintf("%s:%d", strings.TrimSuffix(body.Target.String(), "."), body.Port))
		case *dnsmessage.TXTResource:
			data = append(data, strings.Join(body.TXT, ""))
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
