package conf

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lvs-director/director/checks"
)

type httpCheck = networkCheck[checks.HTTP]

var httpVariant = networkVariant(
	schema[httpCheck]{
		kind: "http",
		doc:  "Up when an HTTP request gets the answer that is expected. Redirects are answers, too, unless `max_redirects` says to follow them.",
		keys: httpKeys,
	},
	checks.HTTP{Method: "GET", Path: "/"}, checkHTTP, aimHTTP,
)

var httpsVariant = networkVariant(
	schema[httpCheck]{
		kind:   "https",
		doc:    "The same over TLS. The certificate is verified.",
		keys:   httpKeys,
		blocks: []inner[httpCheck]{optionalTLS(func(c *httpCheck) **checks.TLS { return &c.probe.TLS })},
	},
	checks.HTTP{Method: "GET", Path: "/", TLS: defaultTLS()}, checkHTTP, aimHTTP,
)

func aimHTTP(p checks.HTTP, t probeTarget, r checks.Route) checks.Probe {
	p.Target, p.Route = t.addr, r
	return p
}

var httpKeys = append([]key[httpCheck]{
	checkedText("method", "string", func(c *httpCheck) *string { return &c.probe.Method }, checkToken,
		"of the request"),
	checkedText("path", "string", func(c *httpCheck) *string { return &c.probe.Path }, checkPath,
		"of the request, with its query"),
	checkedText("host", "string", func(c *httpCheck) *string { return &c.probe.Host }, checkLine,
		"the header Host, and the name in the certificate").by("the address asked"),
	headersKey(),
	choice("http_version", []word[bool]{{"1.1", false}, {"2", true}}, func(c *httpCheck) *bool { return &c.probe.HTTP2 },
		"of the request. `2` wants a server that speaks it: offered by ALPN with TLS, by prior knowledge (h2c) without"),
	number("max_redirects", 0, 20, func(c *httpCheck) *int { return &c.probe.Redirects },
		"how many redirects are followed, each to the same real server and port, whatever host they name; not from http to https"),
	text("body", func(c *httpCheck) *string { return &c.probe.RequestBody },
		"of the request").by("none"),
	expectStatusKey(),
	text("expect_body", func(c *httpCheck) *string { return &c.probe.Contains },
		"text that the body of the answer must hold, in its first 64 KiB").by("anything"),
	checkedText("expect_body_regex", "regular expression", func(c *httpCheck) *string { return &c.probe.Matches }, checkRegex,
		"regular expression (RE2) that the body must match, its first 64 KiB").by("anything"),
	text("expect_json", func(c *httpCheck) *string { return &c.probe.JSON.Path },
		"what the body, of less than 64 KiB, must hold as JSON: names and numbers of elements, joined by dots, such as `\"databases.0.state\"`").by("anything"),
	texts("expect_json_value", "strings", func(c *httpCheck) *[]string { return &c.probe.JSON.Values },
		"which values of `expect_json` are good").by("any but false, null and empty"),
	checkedText("expect_body_sha256", "64 hexadecimal digits", func(c *httpCheck) *string { return &c.probe.SHA256 }, checkDigest,
		"digest of the whole body, which must have less than 64 KiB").by("anything"),
	checkedText("user", "string", func(c *httpCheck) *string { return &c.probe.User }, checkUser,
		"who logs in by basic authentication").by("nobody"),
	checkedText("weight_header", "string", func(c *httpCheck) *string { return &c.probe.WeightHeader }, checkToken,
		"header of the answer whose value, a whole number, is the weight that the real server gets").by("none"),
	truth("weight_body", func(c *httpCheck) *bool { return &c.probe.WeightBody },
		"the first word of the body, a whole number, is the weight that the real server gets"),
	weightStepKey(func(c *httpCheck) *checks.Monitor { return &c.monitor }),
	proxyKey(func(c *httpCheck) *checks.Proxy { return &c.probe.Proxy }),
}, secretKeys("password", func(c *httpCheck) *string { return &c.probe.Password }, "of the user")...)

// checkHTTP checks what two arguments mean together.
func checkHTTP(d *decoder, b *block, c *httpCheck) {
	if c.probe.User == "" && c.probe.Password != "" {
		d.fail(b.at, "check: password wants a user, too")
	}
	if c.probe.WeightHeader != "" && c.probe.WeightBody {
		d.fail(b.where("weight_body"), "want one of weight_header and weight_body")
	}
	if n := len(c.probe.RequestBody); c.probe.HTTP2 && n > checks.MaxHTTP2Body {
		d.fail(b.where("body"), "body has %d bytes: want at most %d with http_version \"2\"", n, checks.MaxHTTP2Body)
	}
	if len(c.probe.JSON.Values) > 0 && c.probe.JSON.Path == "" {
		d.fail(b.where("expect_json_value"), "expect_json_value wants expect_json, too: which value is it that is to be so?")
	}
	b.onlyOne(d, "password", "password_file")
}

// checkDigest says what a digest has to be when s is none.
func checkDigest(s string) string {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != sha256.Size || strings.ToLower(s) != s {
		return "64 hexadecimal digits in lower case, as sha256sum prints them"
	}
	return ""
}

// checkUser says what the user of basic authentication has to be (RFC 7617,
// section 2) when s is none.
func checkUser(s string) string {
	if strings.Contains(s, ":") || checkLine(s) != "" {
		return "a name without a colon"
	}
	return ""
}

// proxyKey is the version of the PROXY protocol.
func proxyKey[T any](field func(*T) *checks.Proxy) key[T] {
	return number("proxy_protocol", 1, 2, field,
		"begin with a header of HAProxy's PROXY protocol of this version").by("none")
}

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
