package conf

import (
	"crypto/tls"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lvs-director/director/checks"
)

// httpCheck is a block check "http" or "https" as decoded.
type httpCheck struct {
	target
	probe   checks.HTTP
	monitor checks.Monitor
}

func newHTTPCheck() httpCheck {
	return httpCheck{monitor: defaultSchedule(), probe: checks.HTTP{Method: "GET", Path: "/"}}
}

var httpVariant = checkVariant(
	schema[httpCheck]{
		kind:  "http",
		doc:   "Up when an HTTP request gets the answer that is expected. Redirects are not followed: they are answers.",
		start: newHTTPCheck,
		keys:  httpKeys,
	},
	httpMonitor, buildHTTP,
)

var httpsVariant = checkVariant(
	schema[httpCheck]{
		kind: "https",
		doc:  "The same over TLS. The certificate is verified.",
		start: func() httpCheck {
			c := newHTTPCheck()
			c.probe.TLS = &checks.TLS{MinVersion: tls.VersionTLS12}
			return c
		},
		keys: httpKeys,
		blocks: []inner[httpCheck]{
			nest(&tlsSchema, true, func(_ *decoder, _ *block, c *httpCheck, t checks.TLS) { c.probe.TLS = &t }),
		},
	},
	httpMonitor, buildHTTP,
)

func httpMonitor(c *httpCheck) *checks.Monitor { return &c.monitor }

func buildHTTP(_ *decoder, _ *block, c *httpCheck) *check {
	return &check{target: c.target, probe: func(t probeTarget) checks.Probe {
		p := c.probe
		p.Target, p.Route = t.addr, c.route
		return p
	}}
}

var httpKeys = append([]key[httpCheck]{
	checkedText("method", "string", func(c *httpCheck) *string { return &c.probe.Method }, checkToken,
		"of the request"),
	checkedText("path", "string", func(c *httpCheck) *string { return &c.probe.Path }, checkPath,
		"of the request, with its query"),
	checkedText("host", "string", func(c *httpCheck) *string { return &c.probe.Host }, checkLine,
		"the header Host, and the name in the certificate").by("the address asked"),
	headersKey(),
	text("body", func(c *httpCheck) *string { return &c.probe.RequestBody },
		"of the request").by("none"),
	expectStatusKey(),
	text("expect_body", func(c *httpCheck) *string { return &c.probe.Contains },
		"text that the body of the answer must hold").by("anything"),
	checkedText("expect_body_regex", "regular expression", func(c *httpCheck) *string { return &c.probe.Matches }, checkRegex,
		"regular expression (RE2) that the body must match").by("anything"),
}, targetKeys(func(c *httpCheck) *target { return &c.target })...)

// expectStatusKey is the list of good status codes.
func expectStatusKey() key[httpCheck] {
	k := list("expect_status", "codes or ranges", func(d *decoder, v value, c *httpCheck) {
		first, last, ranged := strings.Cut(v.text, "-")
		from, err := strconv.Atoi(first)
		to := from
		if ranged && err == nil {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 100 || to > 999 || to < from {
			d.fail(v.at, "expect_status %q: want a code or a range of codes, such as \"200-299\"", v.text)
			return
		}
		c.probe.Status = append(c.probe.Status, checks.StatusRange{From: from, To: to})
	}, "status codes that are good")
	return k.by(`["200-299"]`)
}

// headersKey is the object of additional header lines.
func headersKey() key[httpCheck] {
	return key[httpCheck]{
		name: "headers", kind: "object of strings", doc: "more header lines of the request: `{ Accept = \"text/plain\" }`",
		set: func(d *decoder, v value, c *httpCheck) {
			if v.kind != objectValue {
				d.want("headers", v, `an object: { Name = "value" }`)
				return
			}
			for pair := range slices.Chunk(v.list, 2) {
				name, line := pair[0].text, pair[1]
				switch {
				case checkToken(name) != "":
					d.fail(v.at, "headers: %q is no name of a header", name)
				case line.kind != textValue || checkLine(line.text) != "":
					d.fail(v.at, "headers: want a string of one line for %s", name)
				default:
					c.probe.Headers = append(c.probe.Headers, checks.Header{Name: name, Value: line.text})
				}
			}
		},
		show: func(*httpCheck) string { return "none" },
	}
}

var tlsSchema = schema[checks.TLS]{
	kind:  "tls",
	doc:   "How the server is known, and the probe to the server.",
	start: func() checks.TLS { return checks.TLS{MinVersion: tls.VersionTLS12} },
	keys: []key[checks.TLS]{
		checkedText("server_name", "string", func(t *checks.TLS) *string { return &t.ServerName }, checkLine,
			"sent as SNI and wanted in the certificate").by("`host`, or the address asked"),
		file("ca_file", func(t *checks.TLS) *string { return &t.CAFile },
			"authorities in PEM").by("the system's"),
		file("cert_file", func(t *checks.TLS) *string { return &t.CertFile },
			"client certificate in PEM; goes with `key_file`").by("none"),
		file("key_file", func(t *checks.TLS) *string { return &t.KeyFile },
			"its key in PEM").by("none"),
		choice("min_version", []word[uint16]{{"1.0", tls.VersionTLS10}, {"1.1", tls.VersionTLS11}, {"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}}, func(t *checks.TLS) *uint16 { return &t.MinVersion },
			"the least version of TLS"),
		choice("verify", []word[bool]{{"full", false}, {"none", true}}, func(t *checks.TLS) *bool { return &t.Insecure },
			"`none` takes any certificate"),
	},
}

// percent is a share such as "20%".
func percent[T any](name string, field func(*T) *int, doc string) key[T] {
	return key[T]{
		name: name, kind: "percentage", limits: "0% to 100%", doc: doc,
		set: func(d *decoder, v value, to *T) {
			digits, ok := strings.CutSuffix(v.text, "%")
			n, err := strconv.Atoi(digits)
			switch {
			case v.kind != textValue || !ok || err != nil:
				d.want(name, v, `a percentage in quotes, such as "50%"`)
			case n < 0 || n > 100:
				d.fail(v.at, "%s %s: want 0%% to 100%%", name, v.text)
			default:
				*field(to) = n
			}
		},
		show: func(t *T) string { return quote(strconv.Itoa(*field(t)) + "%") },
	}
}

// checkToken says what a method or the name of a header has to be when s is
// none (RFC 9110, section 5.6.2).
func checkToken(s string) string {
	ok := func(r rune) bool {
		return r < 128 && (isWord(byte(r)) || strings.ContainsRune("!#$%&'*+.^`|~", r))
	}
	if s == "" || slices.ContainsFunc([]rune(s), func(r rune) bool { return !ok(r) }) {
		return "a word of letters, such as GET"
	}
	return ""
}

// checkPath says what the path of a request has to be when s is none.
func checkPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 127 }) {
		return "a path that starts with a slash, without spaces"
	}
	return ""
}

// checkLine says what the value of a header has to be when s is none.
func checkLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 127 }) {
		return "one line of text"
	}
	return ""
}

func checkRegex(s string) string {
	if _, err := regexp.Compile(s); err != nil {
		return "a regular expression (RE2): " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	return ""
}
