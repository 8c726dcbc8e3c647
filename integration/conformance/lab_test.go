//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lvs-director/director/checks"
)

// patience is how long a server may take to start or to stop on a loaded machine.
const patience = time.Minute

// lab is where one server lives.
type lab struct {
	t      *testing.T
	dir    string // which any account may enter
	server *exec.Cmd
	said   *output
	ended  chan struct{}
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, dir: dir}
}

// output is what a server says, for whom it fails.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// ports holds the ports that were given away: two servers never get the same.
var ports struct {
	sync.Mutex
	given map[uint16]bool
}

// port returns a loopback port that is free for TCP and UDP, and none that the
// kernel could give to a client before the server has it.
func (l *lab) port() netip.AddrPort {
	l.t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		const low, high = 10240, 32768
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(low+mathrand.IntN(high-low)))
		tcp, err := net.Listen("tcp", addr.String())
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", addr.String())
		tcp.Close()
		if err != nil {
			continue
		}
		udp.Close()
		if ports.given == nil {
			ports.given = map[uint16]bool{}
		}
		if !ports.given[addr.Port()] {
			ports.given[addr.Port()] = true
			return addr
		}
	}
	l.t.Fatal("no port is free")
	return netip.AddrPort{}
}

// write writes a file, in which DIR stands for the directory, and returns its path.
func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", l.dir)), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// mkdir makes a directory that belongs to an account, if we may give it away.
func (l *lab) mkdir(name, account string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		l.t.Fatal(err)
	}
	if credential := l.account(account); credential != nil {
		if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
			l.t.Fatal(err)
		}
	}
	return path
}

// account returns what a process needs to run as an account; nil is as it is.
func (l *lab) account(name string) *syscall.Credential {
	l.t.Helper()
	if name == "" || os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		l.t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (l *lab) command(account string, argv ...string) *exec.Cmd {
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = l.dir
	c.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL=C")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: l.account(account)}
	if path, err := exec.LookPath(argv[0]); err != nil {
		for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
			if p := filepath.Join(dir, argv[0]); exists(p) {
				c.Path, c.Err = p, nil
			}
		}
	} else {
		c.Path = path
	}
	return c
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// run runs a command to its end.
func (l *lab) run(account string, argv ...string) {
	l.t.Helper()
	if out, err := l.command(account, argv...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// start starts the server and waits until a probe finds it good.
func (l *lab) start(account string, ready checks.Probe, argv ...string) {
	l.t.Helper()
	l.server, l.said, l.ended = l.command(account, argv...), &output{}, make(chan struct{})
	l.server.Stdout, l.server.Stderr = l.said, l.said
	l.server.WaitDelay = time.Second // for what else holds its output
	if err := l.server.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { defer close(l.ended); _ = l.server.Wait() }()
	l.t.Cleanup(func() {
		l.stop()
		if l.t.Failed() {
			l.t.Logf("%s said:\n%s", argv[0], l.said)
		}
	})
	l.become(ready, "")
}

// stop ends the server and all that it has started.
func (l *lab) stop() {
	_ = l.server.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Error("the server does not end")
	}
	_ = syscall.Kill(-l.server.Process.Pid, syscall.SIGKILL)
	<-l.ended
}

// become asks until the answer is this.
func (l *lab) become(p checks.Probe, reason string) {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		seen := ask(p, 5*time.Second)
		if fits(seen, reason) {
			return
		}
		select {
		case <-l.ended:
			if reason == "" {
				l.t.Fatalf("the server has ended: %s", l.said)
			}
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("saw %+v, want %q; the server said %s", seen, reason, l.said)
		}
	}
}

// asked is a probe and what it is to find; an empty reason is up. An ellipsis
// at its end stands for more.
type asked struct {
	name   string
	probe  checks.Probe
	reason string
}

// all asks everything, stops the server, and wants its absence to be noticed.
func (l *lab) all(list []asked) {
	l.t.Helper()
	for _, a := range list {
		limit := 20 * time.Second
		if strings.Contains(a.reason, "in 300ms") {
			limit = 300 * time.Millisecond
		}
		if seen := ask(a.probe, limit); !fits(seen, a.reason) {
			l.t.Errorf("%s: saw %+v, want %q", a.name, seen, a.reason)
		}
	}
	l.stop()
	gone := "connect: connection refused"
	switch p := list[0].probe.(type) {
	case checks.Radius:
		gone = "radius: port unreachable"
	case checks.DNS:
		if !p.TCP {
			gone = "dns: port unreachable"
		}
	}
	l.become(list[0].probe, gone)
}

func ask(p checks.Probe, limit time.Duration) checks.Observation {
	ctx, cancel := checks.WithTimeout(context.Background(), limit)
	defer cancel()
	return p.Run(ctx)
}

func fits(seen checks.Observation, reason string) bool {
	if seen.OK != (reason == "") {
		return false
	}
	if start, ok := strings.CutSuffix(reason, "…"); ok {
		return strings.HasPrefix(seen.Reason, start)
	}
	return seen.Reason == reason
}

// certificate writes a certificate for 127.0.0.1 and its key.
func (l *lab) certificate() (cert, key string) {
	l.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(49 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		l.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		l.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}
