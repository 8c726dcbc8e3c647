package conf

import "github.com/lvs-director/director/checks"

type textCheck = networkCheck[checks.Text]

// textVariants are the checks of protocols that talk in lines.
var textVariants = []variant[*check]{
	textVariant("smtp", "Up when a mail server greets, answers EHLO and takes its leave.",
		checkedText("hello", "string", func(c *textCheck) *string { return &c.probe.Hello }, checkDomain,
			"name that the probe gives itself in EHLO").by("the host name")),
	textVariant("imap", "Up when an IMAP server greets and takes its leave."),
	textVariant("pop", "Up when a POP3 server greets and takes its leave."),
	textVariant("ftp", "Up when an FTP server greets and takes its leave."),
	textVariant("nntp", "Up when a news server greets and takes its leave."),
}

func textVariant(protocol, doc string, more ...key[textCheck]) variant[*check] {
	return networkVariant(
		schema[textCheck]{
			kind: protocol,
			doc:  doc,
			keys: append([]key[textCheck]{
				truth("start_tls", func(c *textCheck) *bool { return &c.probe.StartTLS },
					"whether TLS is begun by a command after the greeting; without it a block `tls` begins it at once"),
			}, more...),
			blocks: []inner[textCheck]{optionalTLS(func(c *textCheck) **checks.TLS { return &c.probe.TLS })},
		},
		checks.Text{Protocol: protocol},
		func(_ *decoder, _ *block, c *textCheck) {
			if c.probe.StartTLS && c.probe.TLS == nil {
				c.probe.TLS = defaultTLS()
			}
		},
		func(p checks.Text, t probeTarget, r checks.Route) checks.Probe {
			p.Target, p.Route = t.addr, r
			return p
		},
	)
}
