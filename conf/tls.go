package conf

import (
	"crypto/tls"

	"github.com/lvs-director/director/checks"
)

var tlsSchema = schema[checks.TLS]{
	kind:  "tls",
	doc:   "How the server is known, and the probe to the server.",
	start: func() checks.TLS { return *defaultTLS() },
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

// tlsBlock is a block tls, which is handed to put.
func tlsBlock[T any](put func(to *T, t checks.TLS)) inner[T] {
	return nest(&tlsSchema, true, func(d *decoder, b *block, to *T, t checks.TLS) {
		if (t.CertFile == "") != (t.KeyFile == "") {
			d.fail(b.at, "tls: cert_file and key_file go together")
		}
		put(to, t)
	})
}

// optionalTLS is a block tls without which there is no TLS, unless that is the default.
func optionalTLS[T any](field func(*T) **checks.TLS) inner[T] {
	return tlsBlock(func(to *T, t checks.TLS) { *field(to) = &t })
}
