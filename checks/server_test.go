package checks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve answers each connection to a loopback port with f until the test ends.
func serve(t *testing.T, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	target, stop := serveUntilStopped(t, f)
	t.Cleanup(stop)
	return target
}

// serveUntilStopped is serve until stop is called, after which nothing of it is
// left open.
func serveUntilStopped(t *testing.T, f func(net.Conn)) (target netip.AddrPort, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	done := make(chan struct{})
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					f(c)
				}()
				select {
				case <-ended:
				case <-done:
				}
				c.Close()
				<-ended
			})
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort(), func() {
		close(done)
		l.Close()
		conns.Wait()
	}
}

// closedPort is a loopback port that nobody listens on, and nobody else can.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	_, addr := boundPort(t)
	return addr
}

// boundPort is a socket that is bound to a loopback port until the test ends.
func boundPort(t *testing.T) (fd int, addr netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*unix.SockaddrInet4).Port))
}

// fullPort is a loopback port whose backlog is full: it answers no SYN.
func fullPort(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, addr := boundPort(t)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { c.Close() })
	}
	return addr
}

// waitForEnd holds a connection until the other side or the test ends it.
func waitForEnd(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// readRequest reads up to the empty line that ends an HTTP request.
func readRequest(c net.Conn) []byte {
	var all []byte
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil || len(all) > 3 && string(all[len(all)-4:]) == "\r\n\r\n" {
			return all
		}
	}
}

// runBothWays runs p by itself and in a Pool, which may take another way, and
// wants both to see the same but for the latency.
func runBothWays(t *testing.T, p Probe, timeout time.Duration) Observation {
	t.Helper()
	alone, pooled := runTwice(t, p, timeout)
	if alone != pooled {
		t.Errorf("alone it sees %+v, in a pool %+v", alone, pooled)
	}
	return alone
}

// runBothWaysLoosely is runBothWays where the reason may differ from time to
// time: an early end of a connection shows as this or that.
func runBothWaysLoosely(t *testing.T, p Probe, timeout time.Duration) Observation {
	t.Helper()
	alone, pooled := runTwice(t, p, timeout)
	if alone.OK != pooled.OK {
		t.Errorf("alone it sees %+v, in a pool %+v", alone, pooled)
	}
	return alone
}

func runTwice(t *testing.T, p Probe, timeout time.Duration) (alone, pooled Observation) {
	t.Helper()
	ranAlone := make(chan struct{})
	go func() {
		defer close(ranAlone)
		ctx, cancel := WithTimeout(t.Context(), timeout)
		defer cancel()
		begin := time.Now()
		alone = p.Run(ctx)
		checkTimes(t, "alone", alone, time.Since(begin), timeout)
	}()
	pool := NewPool()
	m := Monitor{Probe: p, Interval: 10 * time.Millisecond, FastInterval: time.Millisecond, Timeout: timeout, Rise: 1, Fall: 1}
	pool.Set(map[Key]Monitor{m.Key(): m})
	poolCtx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- pool.Run(poolCtx) }()
	for pooled.Latency == 0 {
		select {
		case r := <-pool.Results():
			pooled = r.Seen
		case <-time.After(10 * time.Millisecond):
			if status, _ := pool.Status(m.Key()); status.Last.Ours {
				pooled = status.Last // which is not told
				pooled.Latency = max(pooled.Latency, 1)
			}
		}
	}
	<-ranAlone
	checkTimes(t, "in a pool", pooled, 0, timeout)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	alone.Latency, pooled.Latency = 0, 0
	if alone.Weight != nil && pooled.Weight != nil && *alone.Weight == *pooled.Weight {
		alone.Weight = pooled.Weight
	}
	return alone, pooled
}

// limitFor is the time limit of a probe that is to end with this reason: short
// only where it is waited for.
func limitFor(reason string) time.Duration {
	if strings.Contains(reason, "300ms") {
		return 300 * time.Millisecond
	}
	return 20 * time.Second
}

// checkTimes wants a latency, and no more than the machine's own lateness over
// the timeout.
func checkTimes(t *testing.T, where string, seen Observation, took, timeout time.Duration) {
	t.Helper()
	const slack = 5 * time.Second
	if !seen.Ours && (seen.Latency <= 0 || seen.Latency > timeout+slack) || took > timeout+slack {
		t.Errorf("%s: latency %v and %v in all, timeout is %v", where, seen.Latency, took, timeout)
	}
}

// certificate makes a certificate for 127.0.0.1 and www.example.net, signed by
// itself, and the file that a probe can know it by.
func certificate(t *testing.T, from, to time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"www.example.net"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// keyFile writes the private key of pair.
func keyFile(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
