package conf

import (
	"slices"
	"strings"

	"github.com/lvs-director/director/checks"
)

type dnsCheck = networkCheck[checks.DNS]

var dnsVariant = networkVariant(
	schema[dnsCheck]{
		kind: "dns",
		doc:  "Up when a name server answers a question.",
		keys: []key[dnsCheck]{
			checkedText("name", "string", func(c *dnsCheck) *string { return &c.probe.Name }, checkDomain,
				"what is asked for").must(),
			checkedText("type", "string", func(c *dnsCheck) *string { return &c.probe.Type }, checkDNSType,
				"of the records asked for: `\"MX\"`, `\"HTTPS\"`, or any by its number, `\"TYPE65\"`. An answer with an alias (CNAME) alone has none of another type"),
			choice("protocol", []word[bool]{{"udp", false}, {"tcp", true}}, func(c *dnsCheck) *bool { return &c.probe.TCP },
				"how it is asked"),
			texts("answer", "strings", func(c *dnsCheck) *[]string { return &c.probe.Answer },
				"data that the answers must have among them, each: `[\"192.0.2.1\"]`. An address; a name, also for MX, NS and SOA; `host:port` for SRV; "+
					"the text of TXT; for all other types as RFC 3597 has it, `\"\\\\# 3 c00002\"`").by("any"),
			truth("empty", func(c *dnsCheck) *bool { return &c.probe.Empty },
				"whether no answer, or that there is no such name, is good, too"),
		},
	},
	checks.DNS{Type: "A"},
	func(d *decoder, b *block, c *dnsCheck) {
		if c.probe.Empty && len(c.probe.Answer) > 0 {
			d.fail(b.where("empty"), "empty does not go with answer: no answer has none of them")
		}
	},
	func(p checks.DNS, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

// checkDNSType says what a type of records has to be when s is none.
func checkDNSType(s string) string {
	if _, ok := checks.DNSType(s); !ok {
		return "the name of a type of records, such as AAAA, or its number, such as TYPE65"
	}
	return ""
}

// checkDomain says what a domain name has to be when s is none (RFC 1035,
// section 2.3.4: 63 bytes a label, 255 all in all).
func checkDomain(s string) string {
	name := strings.TrimSuffix(s, ".")
	wrong := func(label string) bool { return label == "" || len(label) > 63 }
	if s != "." && (len(name) > 253 || slices.ContainsFunc(strings.Split(name, "."), wrong) || strings.ContainsAny(s, " \t\r\n")) {
		return "a domain name, such as www.example.net"
	}
	return ""
}
