package checks

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TLS says how a probe speaks TLS. The server's certificate is verified, for
// ServerName and by the system's authorities, unless said otherwise.
type TLS struct {
	ServerName string // sent as SNI and wanted in the certificate; empty: the probe's host, or the target's address
	CAFile     string // authorities in PEM, instead of the system's
	CertFile   string // client certificate in PEM
	KeyFile    string
	MinVersion uint16 // tls.VersionTLS12, …; 0 is TLS 1.2
	Insecure   bool   // take any certificate
}

// tlsClient makes TLS connections for one probe. It reads its files again when
// they have changed, so that a renewed certificate needs no reload.
type tlsClient struct {
	TLS
	alpn []string

	mu      sync.Mutex // probes of equal monitors that were removed and added again may overlap
	config  *tls.Config
	changed time.Time // of the newest file that config was made of
}

func newTLSClient(t TLS, host string, target netip.AddrPort, alpn ...string) *tlsClient {
	if t.ServerName == "" {
		t.ServerName = host
	}
	if t.ServerName == "" {
		t.ServerName = target.Addr().WithZone("").String()
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS12
	}
	if t.CAFile == "" && !t.Insecure {
		// Read once for the process: now, and not in the time of the first probe.
		_, _ = x509.SystemCertPool()
	}
	return &tlsClient{TLS: t, alpn: alpn}
}

// handshake starts TLS on c. Whatever bounds c bounds it too.
func (t *tlsClient) handshake(c *conn) (*tls.Conn, error) {
	config, err := t.current()
	if err != nil {
		return nil, err
	}
	secure := tls.Client(c, config)
	return secure, versionOf(secure.Handshake(), t.MinVersion)
}

// versionError is that a server speaks no version of TLS that we want.
type versionError struct {
	speaks uint16 // 0 is not known: it says only that it will not
	least  uint16 // that we want
}

func (e versionError) Error() string {
	name := func(v uint16) string { return tls.VersionName(v) }
	if e.speaks == 0 {
		return "the server speaks no " + name(e.least) + " or later"
	}
	return "the server speaks " + name(e.speaks) + ", wanted at least " + name(e.least)
}

// versionOf makes a versionError of the errors of crypto/tls that are one: it
// has no types for them.
func versionOf(err error, least uint16) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" && op.Err.Error() == "tls: protocol version not supported" {
		return versionError{least: least}
	}
	if err == nil {
		return nil
	}
	if digits, ok := strings.CutPrefix(err.Error(), "tls: server selected unsupported protocol version "); ok {
		if n, err := strconv.ParseUint(digits, 16, 16); err == nil {
			return versionError{speaks: uint16(n), least: least}
		}
	}
	return err
}

// current returns the configuration for the files as they are now.
func (t *tlsClient) current() (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var newest time.Time
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, fileError{err}
		}
		if !info.Mode().IsRegular() { // a named pipe would keep its reader waiting
			return nil, fileError{fmt.Errorf("%s is no regular file", name)}
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if t.config != nil && newest.Equal(t.changed) {
		return t.config, nil
	}
	config := &tls.Config{
		ServerName:         t.ServerName,
		MinVersion:         t.MinVersion,
		InsecureSkipVerify: t.Insecure,
		NextProtos:         t.alpn,
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fileError{err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fileError{fmt.Errorf("no certificate in %s", t.CAFile)}
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fileError{err}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	t.config, t.changed = config, newest
	return config, nil
}

// fileError is the want of a file on this machine.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }
