package checks

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SIP is up when a server answers OPTIONS with 200, over UDP.
type SIP struct {
	Target netip.AddrPort
	Route  Route
	User   string // of the address asked about; empty is none
}

// Kind returns "sip".
func (SIP) Kind() string { return "sip" }

// Key implements Probe.
func (p SIP) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p SIP) Run(ctx context.Context) Observation {
	t := startDatagrams(ctx, p.Target, p.Route, "sip")
	branch := "z9hG4bK" + rand.Text() // the magic cookie of RFC 3261, section 8.1.1.7
	t.send(p.request(branch))
	for !t.ended {
		t.datagram(func(b []byte) bool { return strings.Contains(string(b), branch) })
		if t.ended {
			break
		}
		status, problem := parseSIP(t.came)
		t.seen.Status = status
		if problem == "" {
			if strings.HasPrefix(status, "1") {
				continue // provisional
			}
			if status != "200" {
				problem = fmt.Sprintf("status %s, wanted 200", status)
			}
		}
		if problem != "" {
			t.fail("%s", problem)
		}
		break
	}
	return t.verdict()
}

func (p SIP) request(branch string) string {
	uri := "sip:" + p.Target.String()
	if p.User != "" {
		uri = "sip:" + p.User + "@" + p.Target.String()
	}
	return "OPTIONS " + uri + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP director.invalid;rport;branch=" + branch + "\r\n" +
		"Max-Forwards: 70\r\n" +
		"To: <" + uri + ">\r\n" +
		"From: <sip:director@director.invalid>;tag=" + branch[7:15] + "\r\n" +
		"Call-ID: " + branch[7:] + "@director.invalid\r\n" +
		"CSeq: 1 OPTIONS\r\n" +
		"Contact: <sip:director@director.invalid>\r\n" +
		"Accept: application/sdp\r\n" +
		"Content-Length: 0\r\n\r\n"
}

// parseSIP returns the status of an answer, or what is wrong with it.
func parseSIP(b []byte) (status, problem string) {
	line, _, _ := strings.Cut(string(b), "\r\n")
	rest, ok := strings.CutPrefix(line, "SIP/2.0 ")
	status, _, _ = strings.Cut(rest, " ")
	if n, err := strconv.Atoi(status); !ok || err != nil || n < 100 || n > 699 {
		return "", "answer is not SIP"
	}
	return status, ""
}
